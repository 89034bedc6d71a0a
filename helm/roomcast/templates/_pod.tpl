{{/* What the pods of all services have alike. Each call takes (dict "root" $ "component" "rooms" ...). */}}

{{/* The restricted Pod Security Standard. The user is a number that no image needs to know. */}}
{{- define "roomcast.pod.security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "roomcast.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Alive is who answers at all; ready is who takes traffic. Neither asks a part behind, so that a
     part's outage never restarts or unlists all pods at once. */}}
{{- define "roomcast.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: ops }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: ops }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: ops }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Where pods of one component go: apart, by node and by zone, as far as there is room. */}}
{{- define "roomcast.placement" -}}
{{- $values := get .root.Values .component -}}
affinity:
  {{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "roomcast.selector" . | nindent 14 }}
  {{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "roomcast.selector" . | nindent 8 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What every pod of ours begins with. Variables named after Services would look like config keys
     to the processes, so there are none. */}}
{{- define "roomcast.pod.head" -}}
serviceAccountName: {{ include "roomcast.account" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "roomcast.pod.security" . | nindent 2 }}
{{- end -}}

{{- define "roomcast.account" -}}
{{ .Values.serviceAccount.name | default (include "roomcast.fullname" .) }}
{{- end -}}

{{/* Labels and annotations of a pod. A changed config makes new pods. */}}
{{- define "roomcast.pod.meta" -}}
{{- $values := get .root.Values .component -}}
labels:
  {{- include "roomcast.labels" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ include "roomcast.config.toml" .root | sha256sum }}
  {{- with $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "roomcast.mounts" -}}
- { name: config, mountPath: /etc/roomcast, readOnly: true }
{{- if .secrets }}
- { name: secrets, mountPath: /run/secrets/roomcast, readOnly: true }
{{- end }}
{{- if include "roomcast.serviceTls.secret" . }}
- { name: service-tls, mountPath: /run/service-tls, readOnly: true }
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "roomcast.volumes" -}}
- name: config
  configMap: { name: {{ include "roomcast.fullname" .root }}-config }
{{- if .secrets }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "roomcast.secrets.sources" . | trim | nindent 6 }}
{{- end }}
{{- with include "roomcast.serviceTls.secret" . }}
- name: service-tls
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "roomcast.env" -}}
- { name: ROOMCAST_CONFIG, value: /etc/roomcast/roomcast.toml }
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
