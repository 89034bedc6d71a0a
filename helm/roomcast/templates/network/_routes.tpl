{{/* What of one host goes to the gateways; all else is the page. */}}
{{- define "roomcast.routes" -}}
prefixes: [/ws, /connection, /emulation, /api, /docs, /redoc]
exact: [/openapi.json, /stats, /health]
{{- end -}}

{{- define "roomcast.front" -}}
{{ include "roomcast.fullname" . }}-{{ ternary "standalone" "gateway" (eq .Values.mode "standalone") }}
{{- end -}}

{{- define "roomcast.front.port" -}}
{{ ternary 8080 (int .Values.gateway.service.port) (eq .Values.mode "standalone") }}
{{- end -}}

{{- define "roomcast.hasPage" -}}
{{- if and .Values.page.enabled (eq .Values.mode "services") }}true{{ end -}}
{{- end -}}
