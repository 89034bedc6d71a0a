{{/* Names, labels and images: the same words on every object. */}}

{{- define "roomcast.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "roomcast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "roomcast.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "roomcast.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: (dict "root" $ "component" "rooms"). */}}
{{- define "roomcast.selector" -}}
app.kubernetes.io/name: {{ include "roomcast.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "roomcast.labels" -}}
{{ include "roomcast.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels of an object: (dict "root" $ "component" "rooms" "name" "roomcast-rooms"). */}}
{{- define "roomcast.meta" -}}
name: {{ .name | default (printf "%s-%s" (include "roomcast.fullname" .root) .component) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "roomcast.labels" . | nindent 2 }}
{{- end -}}

{{/* An image of the product: (dict "root" $ "image" "gateway"). */}}
{{- define "roomcast.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "%s/%s:%s" $image.repository .image ($image.tag | default .root.Chart.AppVersion) -}}
{{- if $image.registry }}{{ $image.registry }}/{{ end }}{{ $name }}
{{- end -}}

{{- define "roomcast.isStandalone" -}}
{{- if eq .Values.mode "standalone" }}true{{ end -}}
{{- end -}}
