{{/* What the names of this release begin with. */}}
{{- define "tablesplit.name" -}}
{{- if contains "tablesplit" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-tablesplit{{ end -}}
{{- end }}

{{- define "tablesplit.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "tablesplit.selector" . }}
{{- end }}

{{- define "tablesplit.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tablesplit.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The service account of a component: (list . "sync") */}}
{{- define "tablesplit.account" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $account := index $root.Values.serviceAccounts $component }}
{{- $account.name | default (ternary (printf "%s-%s" (include "tablesplit.name" $root) $component) "default" $account.create) }}
{{- end }}

{{/* What every pod has: who it is, and that it may nothing. */}}
{{- define "tablesplit.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tablesplit.container" -}}
image: {{ include "tablesplit.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - configMapRef: {name: {{ include "tablesplit.name" . }}}
{{- end }}

{{- define "tablesplit.token" -}}
- name: TABLESPLIT_API_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .Values.apiToken.secretName }}, key: {{ .Values.apiToken.key }}}
{{- end }}

{{- define "tablesplit.mounts" -}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.mapping }}
  - {name: mapping, mountPath: /mapping, readOnly: true}
  {{- end }}
{{- end }}

{{- define "tablesplit.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- if .Values.mapping }}
  - name: mapping
    configMap: {name: {{ include "tablesplit.name" . }}-mapping}
  {{- end }}
{{- end }}
