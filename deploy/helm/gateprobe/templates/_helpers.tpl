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

{{- /* Whether a path is below one that extraVolumeMounts adds: gateprobe.isMounted (list ROOT PATH). */}}
{{- define "gateprobe.isMounted" -}}
{{- $path := index . 1 }}
{{- range (index . 0).Values.extraVolumeMounts }}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" (toString .mountPath))) $path }}yes{{ end }}
{{- end }}
{{- end }}

{{- /* A dialect comes with gateprobe, or is a file beside gateprobe.yaml: gateprobe.validateDialect (list ROOT PATH NAME).
       A test holds the names against the program's. */}}
{{- define "gateprobe.validateDialect" -}}
{{- $root := index . 0 }}
{{- $name := index . 2 }}
{{- $dialects := $root.Values.dialects | default dict }}
{{- $file := ternary $name (printf "/etc/gateprobe/%s" $name) (isAbs $name) | clean }}
{{- $known := or (has $name (list "websocket" "json")) (hasKey $dialects (trimPrefix "/etc/gateprobe/" $file)) }}
{{- if not (or $known (include "gateprobe.isMounted" (list $root $file))) }}
{{- fail (printf "%s: there is no dialect %q; write websocket, json, or a file's name that is in dialects (%s)" (index . 1) $name (keys $dialects | sortAlpha | join ", " | default "none now")) }}
{{- end }}
{{- end }}

{{- /* The files of /run/secrets that a value names by fields such as `file` and `key_file`: PATH of the field, a blank and
       the file, one a line: gateprobe.secretFiles (list PATH VALUE). */}}
{{- define "gateprobe.secretFiles" -}}
{{- $path := index . 0 }}
{{- $value := index . 1 }}
{{- if kindIs "map" $value }}
{{- range $key, $inner := $value }}
{{- if and (kindIs "string" $inner) (hasPrefix "/run/secrets/" (toString $inner)) (or (eq $key "file") (hasSuffix "_file" $key)) }}
{{- printf "%s.%s %s\n" $path $key $inner }}
{{- else }}
{{- include "gateprobe.secretFiles" (list (printf "%s.%s" $path $key) $inner) }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" $value }}
{{- range $at, $inner := $value }}
{{- include "gateprobe.secretFiles" (list (printf "%s.%d" $path $at) $inner) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Each file of /run/secrets that `config` names must be there, as far as the chart can know: a whole Secret, or a
       whole entry of a store, may bring any. */}}
{{- define "gateprobe.validateSecrets" -}}
{{- $root := . }}
{{- $known := keys (.Values.secrets.data | default dict) }}
{{- $any := and .Values.externalSecret.enabled (not (empty .Values.externalSecret.dataFrom)) }}
{{- range .Values.secrets.existing }}
{{- if not .items }}{{ $any = true }}{{ end }}
{{- range .items }}{{ $known = append $known .path }}{{ end }}
{{- end }}
{{- if .Values.externalSecret.enabled }}
{{- range .Values.externalSecret.data }}{{ $known = append $known (toString .secretKey) }}{{ end }}
{{- end }}
{{- if not $any }}
{{- range include "gateprobe.secretFiles" (list "config" .Values.config) | trim | splitList "\n" | compact }}
{{- $field := regexFind "^\\S+" . }}
{{- $file := regexReplaceAll "^\\S+ " . "" }}
{{- if not (or (has (trimPrefix "/run/secrets/" $file) $known) (include "gateprobe.isMounted" (list $root $file))) }}
{{- fail (printf "%s: %s is in no Secret of secrets (there: %s); mount it by secrets.existing, such as [{name: NAME, items: [{key: KEY, path: %s}]}]" $field $file ($known | sortAlpha | join ", " | default "none") (trimPrefix "/run/secrets/" $file)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the schema can't say. */}}
{{- define "gateprobe.validate" -}}
{{- $config := .Values.config }}
{{- if not .Values.existingConfigMap }}
{{- with ($config.defaults | default dict).dialect }}
{{- include "gateprobe.validateDialect" (list $ "config.defaults.dialect" .) }}
{{- end }}
{{- range $of := list "targets" "modules" }}
{{- range $name, $entry := get $config $of | default dict }}
{{- with $entry.dialect }}
{{- include "gateprobe.validateDialect" (list $ (printf "config.%s.%s.dialect" $of $name) .) }}
{{- end }}
{{- end }}
{{- end }}
{{- include "gateprobe.validateSecrets" . }}
{{- end }}
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
{{- $modules := keys ($config.modules | default dict) | sortAlpha | join ", " }}
{{- fail (printf "probe.module: %q is not in config.modules; there %s" .Values.probe.module (ternary "are none: name one there" (printf "are: %s" $modules) (empty $modules))) }}
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
