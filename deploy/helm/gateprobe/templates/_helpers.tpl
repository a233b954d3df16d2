{{- define "gateprobe.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* At most 50 characters: names of parts, such as -canary or -overview, come behind it. */}}
{{- define "gateprobe.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "gateprobe.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gateprobe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateprobe.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "gateprobe.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* gateprobe.metadata (list ROOT NAME LABELS ANNOTATIONS); NAME is the fullname where it is empty. */}}
{{- define "gateprobe.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 | default (include "gateprobe.fullname" $root) }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "gateprobe.labels" $root | nindent 2 }}
  {{- with index . 2 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with index . 3 }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "gateprobe.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "gateprobe.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "gateprobe.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "gateprobe.configMapName" -}}
{{- .Values.existingConfigMap | default (include "gateprobe.fullname" .) }}
{{- end }}

{{- /* A length of time of the config, such as 1m30s, in seconds. */}}
{{- define "gateprobe.seconds" -}}
{{- $sum := 0.0 }}
{{- $units := dict "us" 0.000001 "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 }}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d)" . -1 }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get $units $unit)) }}
{{- end }}
{{- $sum }}
{{- end }}

{{- /* The ports of all URLs in a value, one a line. */}}
{{- define "gateprobe.urlPorts" -}}
{{- if or (kindIs "map" .) (kindIs "slice" .) }}
{{- range . }}
{{- include "gateprobe.urlPorts" . }}
{{- end }}
{{- else if kindIs "string" . }}
{{- with regexFind "^(wss?|https?)://[^/?#]*" . }}
{{- $standard := ternary "443" "80" (regexMatch "^(wss|https):" .) }}
{{- printf "%s\n" (regexFind ":[0-9]+$" . | trimPrefix ":" | default $standard) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the schema can't say. */}}
{{- define "gateprobe.validate" -}}
{{- $config := .Values.config }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: each would scrape every pod, and all would be counted twice; choose one" }}
{{- end }}
{{- if and (not .Values.existingConfigMap) (not $config.targets) (not $config.modules) }}
{{- fail "config.targets: nothing to watch; name a gateway (--set config.targets.chat.url=wss://chat.example.com/socket), or a module for /probe in config.modules" }}
{{- end }}
{{- if $config.sharding }}
{{- fail "config.sharding: each pod has its own number; write sharding.enabled and replicas instead" }}
{{- end }}
{{- if ($config.http | default dict).listen }}
{{- fail "config.http.listen: the Service and the probes need to know it; write listen.address and listen.port instead" }}
{{- end }}
{{- with ($config.shutdown | default dict).drain_grace | default "25s" }}
{{- if ge (include "gateprobe.seconds" . | float64) ($.Values.terminationGracePeriodSeconds | float64) }}
{{- fail (printf "config.shutdown.drain_grace: %s must be less than terminationGracePeriodSeconds (%v s), or the kubelet kills the agent before it has drained" . $.Values.terminationGracePeriodSeconds) }}
{{- end }}
{{- end }}
{{- if and .Values.authorities.configMap .Values.authorities.secret }}
{{- fail "authorities.configMap and authorities.secret: one bundle is mounted; name one of them" }}
{{- end }}
{{- if and .Values.probe.enabled (not .Values.existingConfigMap) (not (hasKey ($config.modules | default dict) .Values.probe.module)) }}
{{- fail (printf "probe.module: %q is not in config.modules" .Values.probe.module) }}
{{- end }}
{{- if and .Values.probe.enabled (not .Values.probe.targets) }}
{{- fail "probe.targets: name at least one" }}
{{- end }}
{{- with .Values.externalSecret }}
{{- if and .enabled (or (not .secretStoreRef.name) (not (or .data .dataFrom))) }}
{{- fail "externalSecret: secretStoreRef.name, and data or dataFrom, are needed" }}
{{- end }}
{{- end }}
{{- with .Values.podDisruptionBudget }}
{{- if and .enabled (ne (toString .minAvailable) "") (ne (toString .maxUnavailable) "") }}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable: Kubernetes takes one of them" }}
{{- end }}
{{- end }}
{{- end }}
