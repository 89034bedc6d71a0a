{{/* Values as TOML. Helm's own `toToml` writes whole numbers of a values file as floats, which are
     no counts; a JSON text, number or list of them is TOML as it stands. */}}

{{/* One value on one line. */}}
{{- define "roomcast.toml.value" -}}
{{- if kindIs "map" . -}}
{ {{ $first := true }}{{ range $key, $value := . }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ $key | toJson }} = {{ include "roomcast.toml.value" $value }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $at, $value := . }}{{ if $at }}, {{ end }}{{ include "roomcast.toml.value" $value }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* A table and those below it: (dict "path" "gateway" "table" {...}). */}}
{{- define "roomcast.toml.table" -}}
{{- $path := .path }}
{{- $own := "" }}
{{- $below := "" }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $below = printf "%s%s" $below (include "roomcast.toml.table" (dict "path" (ternary $key (printf "%s.%s" $path $key) (eq $path "")) "table" $value)) }}
{{- else if not (kindIs "invalid" $value) }}
{{- $own = printf "%s%s = %s\n" $own $key (include "roomcast.toml.value" $value) }}
{{- end }}
{{- end }}
{{- if and $own $path }}
{{- printf "\n[%s]\n%s" $path $own }}
{{- else }}
{{- $own }}
{{- end }}
{{- $below }}
{{- end -}}
