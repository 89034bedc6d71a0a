{{/* A pod of `helm test`: the product's own command line. Nothing else is pulled for it.
     (dict "root" $ "name" "doctor" "args" (list ...) "secrets" (list ...) "env" "..." "volumes" "..." "mounts" "...") */}}
{{- define "roomcast.test" -}}
{{- $call := dict "root" .root "component" "test" "secrets" .secrets -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "roomcast.meta" (dict "root" .root "component" "test" "name" (printf "%s-test-%s" (include "roomcast.fullname" .root) .name)) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  # A part that is still coming up, or a network that does not know the pod yet, is waited for, but no longer than this.
  restartPolicy: OnFailure
  activeDeadlineSeconds: 120
  {{- include "roomcast.pod.head" $call | nindent 2 }}
  containers:
    - name: {{ .name }}
      image: {{ include "roomcast.image" (dict "root" .root "image" "roomcast") }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      env:
        {{- include "roomcast.env" $call | nindent 8 }}
        {{- with .env }}
        {{- . | nindent 8 }}
        {{- end }}
      resources:
        requests: { cpu: 20m, memory: 32Mi, ephemeral-storage: 16Mi }
        limits: { memory: 128Mi, ephemeral-storage: 32Mi }
      securityContext:
        {{- include "roomcast.container.security" $call | nindent 8 }}
      volumeMounts:
        {{- include "roomcast.mounts" $call | nindent 8 }}
        {{- with .mounts }}
        {{- . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "roomcast.volumes" $call | nindent 4 }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}
