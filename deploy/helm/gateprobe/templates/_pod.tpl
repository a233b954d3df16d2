{{- /* What the agent's pods and the pods of `helm test` have in common: who they run as, where, and what they
       can reach and read. */}}

{{- define "gateprobe.pod" -}}
serviceAccountName: {{ include "gateprobe.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with .Values.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" .Values.hostNetwork) }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "gateprobe.container" -}}
image: {{ include "gateprobe.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{- define "gateprobe.env" -}}
- name: GATEPROBE__HTTP__LISTEN
  value: {{ printf "%s:%v" .Values.listen.address .Values.listen.port | quote }}
{{- if or .Values.authorities.configMap .Values.authorities.secret }}
- name: SSL_CERT_FILE
  value: /etc/gateprobe-authorities/{{ .Values.authorities.key }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gateprobe.hasSecrets" -}}
{{- if or .Values.secrets.existing .Values.secrets.data .Values.externalSecret.enabled }}yes{{ end }}
{{- end }}

{{- /* Whole folders, never single files by subPath: those don't follow a change. */}}
{{- define "gateprobe.volumeMounts" -}}
- name: config
  mountPath: /etc/gateprobe
  readOnly: true
{{- if include "gateprobe.hasSecrets" . }}
- name: secrets
  mountPath: /run/secrets
  readOnly: true
{{- end }}
{{- if or .Values.authorities.configMap .Values.authorities.secret }}
- name: authorities
  mountPath: /etc/gateprobe-authorities
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gateprobe.volumes" -}}
- name: config
  configMap:
    name: {{ include "gateprobe.configMapName" . }}
{{- if include "gateprobe.hasSecrets" . }}
- name: secrets
  projected:
    # For the group 65534 (fsGroup), and nobody else.
    defaultMode: 0440
    sources:
      {{- range .Values.secrets.existing }}
      - secret:
          {{- toYaml . | nindent 10 }}
      {{- end }}
      {{- if .Values.secrets.data }}
      - secret:
          name: {{ include "gateprobe.fullname" . }}
      {{- end }}
      {{- if .Values.externalSecret.enabled }}
      - secret:
          name: {{ include "gateprobe.fullname" . }}-external
      {{- end }}
{{- end }}
{{- with .Values.authorities }}
{{- if .configMap }}
- name: authorities
  configMap:
    name: {{ .configMap }}
{{- else if .secret }}
- name: authorities
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A pod's name ends in its number in every version; the label `apps.kubernetes.io/pod-index` begins with 1.28. */}}
{{- define "gateprobe.shard" -}}
{{- if .Values.sharding.enabled }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: GATEPROBE__SHARDING__SHARDS
  value: {{ max 1 .Values.replicas | quote }}
- name: GATEPROBE__SHARDING__INDEX
  value: $(POD_NAME)
{{- end }}
{{- end }}

{{- /* The template of the agent's pods. */}}
{{- define "gateprobe.agent" -}}
metadata:
  labels:
    {{- include "gateprobe.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: agent
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "gateprobe.pod" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  containers:
    - name: gateprobe
      {{- include "gateprobe.container" . | nindent 6 }}
      args:
        - run
        - --config=/etc/gateprobe/gateprobe.yaml
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "gateprobe.env" . | nindent 8 }}
        {{- with include "gateprobe.shard" . }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.listen.port }}
          protocol: TCP
      {{- with .Values.livenessProbe }}
      livenessProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      readinessProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "gateprobe.volumeMounts" . | nindent 8 }}
  volumes:
    {{- include "gateprobe.volumes" . | nindent 4 }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  {{- $agents := dict "matchLabels" (merge (include "gateprobe.selectorLabels" $ | fromYaml) (dict "app.kubernetes.io/component" "agent")) }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- toYaml (merge dict . (dict "labelSelector" $agents)) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end }}
