{{/* Mutual TLS between the services: whose Secret holds whose certificate. */}}

{{/* Whether it is on. */}}
{{- define "roomcast.serviceTls" -}}
{{- $given := .Values.serviceTls.existingSecrets -}}
{{- $names := compact (list $given.auth $given.gateway $given.presence $given.rooms) -}}
{{- $issuer := .Values.serviceTls.certManager.issuerRef.name -}}
{{- if or $names $issuer -}}
{{- if include "roomcast.isStandalone" . }}{{ fail "serviceTls: in mode standalone no service calls another" }}{{ end -}}
{{- if and $names $issuer }}{{ fail "serviceTls: give existingSecrets or certManager.issuerRef, not both" }}{{ end -}}
{{- if and $names (ne (len $names) 4) }}{{ fail "serviceTls.existingSecrets: name one for each of auth, gateway, presence and rooms" }}{{ end -}}
true
{{- end -}}
{{- end -}}

{{/* What gRPC ports speak. */}}
{{- define "roomcast.grpc" -}}
{{ ternary "https" "kubernetes.io/h2c" (ne (include "roomcast.serviceTls" .) "") }}
{{- end -}}

{{/* What stands behind the service in the names of certificates: no other installation's. */}}
{{- define "roomcast.serviceTls.domain" -}}
{{ include "roomcast.fullname" . }}.{{ .Release.Namespace }}.internal
{{- end -}}

{{/* The Secret of a component: (dict "root" $ "component" "rooms"). Tests show what auth shows, which no service
     admits as a caller. */}}
{{- define "roomcast.serviceTls.secret" -}}
{{- $component := ternary "auth" .component (eq .component "test") -}}
{{- if and (include "roomcast.serviceTls" .root) (has $component (list "auth" "gateway" "presence" "rooms")) -}}
{{ get .root.Values.serviceTls.existingSecrets $component | default (printf "%s-%s-service-tls" (include "roomcast.fullname" .root) $component) }}
{{- end -}}
{{- end -}}

{{/* The names in the certificate of a component. The admin port is for others than services: they look for its host. */}}
{{- define "roomcast.serviceTls.names" -}}
- {{ .component }}.{{ include "roomcast.serviceTls.domain" .root }}
{{- if eq .component "rooms" }}
{{- $admin := printf "%s-admin" (include "roomcast.fullname" .root) }}
- {{ $admin }}
- {{ $admin }}.{{ .root.Release.Namespace }}
- {{ $admin }}.{{ .root.Release.Namespace }}.svc
{{- end }}
{{- end -}}
