{{/* The objects of one service that speaks gRPC: auth, rooms, presence; and what they share with the gateway. */}}

{{/* (dict "root" $ "component" "rooms" "secrets" (list ...) "ports" [{name, port}] "grace" 30) */}}
{{- define "roomcast.deployment" -}}
{{- $values := get .root.Values .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  # One more first, then one less: nothing is ever short of a pod.
  strategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
  selector:
    matchLabels:
      {{- include "roomcast.selector" . | nindent 6 }}
  template:
    metadata:
      {{- include "roomcast.pod.meta" . | nindent 6 }}
    spec:
      {{- include "roomcast.pod.head" . | nindent 6 }}
      {{- include "roomcast.placement" . | nindent 6 }}
      terminationGracePeriodSeconds: {{ .grace }}
      containers:
        - name: {{ .component }}
          image: {{ include "roomcast.image" (dict "root" .root "image" .component) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- with .preStop }}
          lifecycle: { preStop: { sleep: { seconds: {{ . }} } } }
          {{- end }}
          env:
            {{- include "roomcast.env" . | nindent 12 }}
            {{- with .env }}
            {{- . | nindent 12 }}
            {{- end }}
          ports:
            {{- range .ports }}
            - { name: {{ .name }}, containerPort: {{ .port }} }
            {{- end }}
            - { name: ops, containerPort: 9090 }
          {{- include "roomcast.probes" . | nindent 10 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "roomcast.container.security" . | nindent 12 }}
          volumeMounts:
            {{- include "roomcast.mounts" . | nindent 12 }}
            {{- with .mounts }}
            {{- . | nindent 12 }}
            {{- end }}
      volumes:
        {{- include "roomcast.volumes" . | nindent 8 }}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* Callers look the pods up one by one and spread their calls themselves, so there is no address before them. */}}
{{- define "roomcast.headless" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "roomcast.selector" . | nindent 4 }}
  ports:
    - { name: grpc, port: 50051, targetPort: grpc, appProtocol: {{ include "roomcast.grpc" .root }} }
    - { name: ops, port: 9090, targetPort: ops }
{{- end -}}

{{/* More pods at once, fewer one by one: a pod that goes moves its callers. */}}
{{- define "roomcast.autoscaler" -}}
{{- $scaling := (get .root.Values .component).autoscaling -}}
{{- if $scaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "roomcast.fullname" .root }}-{{ .component }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ $scaling.cpuPercent }} }
    {{- with $scaling.connectionsPerPod }}
    - type: Pods
      pods:
        metric: { name: roomcast_gateway_connections }
        target: { type: AverageValue, averageValue: {{ . | int | quote }} }
    {{- end }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
    scaleDown:
      stabilizationWindowSeconds: 600
      policies:
        - { type: Pods, value: 1, periodSeconds: 300 }
{{- end -}}
{{- end -}}

{{- define "roomcast.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "roomcast.meta" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "roomcast.selector" . | nindent 6 }}
{{- end -}}
