{{/* Throw-away parts for a first try: one pod each, nothing kept. NOT FOR PRODUCTION. */}}

{{- define "roomcast.dev.secret" -}}
{{ .Values.devDependencies.existingSecret | default (printf "%s-dev" (include "roomcast.fullname" .)) }}
{{- end -}}

{{/* The throw-away Keycloak as an issuer: named as browsers reach it, its keys fetched where the pods do. */}}
{{- define "roomcast.dev.issuer" -}}
url: {{ .Values.devDependencies.keycloakUrl }}/realms/chat
jwks_url: http://{{ include "roomcast.fullname" . }}-dev-keycloak:8080/realms/chat/protocol/openid-connect/certs
plain_http: true
client_ids: [frontend, backend]
{{- end -}}

{{/* (dict "root" $ "component" "dev-redis" "image" "..." "port" 6379 "body" "the container's other keys") */}}
{{- define "roomcast.dev.part" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
  annotations: { roomcast/warning: throw-away part - not for production }
spec:
  replicas: 1
  # Two of a kind would know different things.
  strategy: { type: Recreate }
  selector:
    matchLabels:
      {{- include "roomcast.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "roomcast.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 10
      securityContext:
        runAsNonRoot: true
        {{- with .user }}
        runAsUser: {{ . }}
        runAsGroup: {{ . }}
        fsGroup: {{ . }}
        {{- end }}
        seccompProfile: { type: RuntimeDefault }
      containers:
        - name: {{ trimPrefix "dev-" .component }}
          image: {{ .image }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: {{ not .writes }}
            capabilities: { drop: [ALL] }
          {{- .body | nindent 10 }}
      volumes:
        {{- range $name, $_ := .folders }}
        - { name: {{ $name }}, emptyDir: {} }
        {{- end }}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  selector:
    {{- include "roomcast.selector" . | nindent 4 }}
  ports:
    - { name: main, port: {{ .port }}, targetPort: main }
---
{{ include "roomcast.policy" . }}
{{- end -}}

{{/* A variable out of the Secret: (dict "root" $ "name" "X" "key" "k"). */}}
{{- define "roomcast.dev.env" -}}
- { name: {{ .name }}, valueFrom: { secretKeyRef: { name: {{ include "roomcast.dev.secret" .root }}, key: {{ .key }} } } }
{{- end -}}
