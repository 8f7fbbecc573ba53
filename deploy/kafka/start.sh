#!/bin/sh
# Starts the broker; on its first start it makes the log's folder, and in it a user for each service.
# A password is changed later with kafka-configs.sh, see docs/security.md.
set -eu
bin=${KAFKA_BIN:-/opt/kafka/bin}
config=${KAFKA_CONFIG:-/etc/kafka/fan/server.properties}
folder=$(sed -n 's/^log\.dirs=//p' "$config")

if [ ! -e "$folder/meta.properties" ]; then
  set -- --add-scram "SCRAM-SHA-512=[name=ingest,password=${INGEST_KAFKA_PASSWORD:?}]"
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=segmenter,password=${SEGMENTER_KAFKA_PASSWORD:?}]"
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=notifier,password=${NOTIFIER_KAFKA_PASSWORD:?}]"
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=sentiment,password=${SENTIMENT_KAFKA_PASSWORD:?}]"
  "$bin/kafka-storage.sh" format --cluster-id="$("$bin/kafka-storage.sh" random-uuid)" \
    --config "$config" "$@"
fi
unset INGEST_KAFKA_PASSWORD SEGMENTER_KAFKA_PASSWORD NOTIFIER_KAFKA_PASSWORD SENTIMENT_KAFKA_PASSWORD
exec "$bin/kafka-server-start.sh" "$config"
