#!/bin/sh
# Puts a device's certificate and key where thin-edge.io looks for them, and tells it so. Run it as root on the
# device, in the directory that has tedge-certificate.pem and tedge-private-key.pem beside it:
#
#   sh tedge-setup.sh [OWNER[:GROUP]]
#
# The owner has to be the user who connects to the cloud: tedge with the built-in bridge, mosquitto with the
# bridge of mosquitto. Without OWNER, thin-edge is asked which it uses.
#
#   C8Y_URL           host of the tenant, e.g. acme.eu-latest.cumulocity.com; if set, it is configured too
#   TEDGE_CONFIG_DIR  configuration directory of thin-edge; /etc/tedge by default
set -eu

from=$(dirname "$0")
to="${TEDGE_CONFIG_DIR:-/etc/tedge}/device-certs"

if [ $# -gt 0 ]; then
    owner=$1
elif [ "$(tedge config get mqtt.bridge.built_in 2>/dev/null || true)" = false ]; then
    owner=mosquitto:mosquitto
else
    owner=tedge:tedge
fi
case $owner in
*:*) user=${owner%%:*} group=${owner#*:} ;;
*) user=$owner group=$(id -gn "$owner") ;;
esac

mkdir -p "$to"
# Each file is put in place whole, under its name, with owner and mode.
install -o "$user" -g "$group" -m 0600 "$from/tedge-private-key.pem" "$to/tedge-private-key.pem.new"
install -o "$user" -g "$group" -m 0644 "$from/tedge-certificate.pem" "$to/tedge-certificate.pem.new"
mv "$to/tedge-private-key.pem.new" "$to/tedge-private-key.pem"
mv "$to/tedge-certificate.pem.new" "$to/tedge-certificate.pem"

tedge config set device.key_path "$to/tedge-private-key.pem"
tedge config set device.cert_path "$to/tedge-certificate.pem"
if [ -n "${C8Y_URL:-}" ]; then
    tedge config set c8y.url "$C8Y_URL"
fi

# thin-edge would renew at the platform's own CA, which did not issue this certificate.
if command -v systemctl >/dev/null 2>&1; then
    systemctl disable --now tedge-cert-renewer@c8y.timer 2>/dev/null ||
        echo "tedge-cert-renewer@c8y.timer could not be disabled: is there such a timer?" >&2
fi

echo "Done. Connect with: tedge connect c8y, or after a renewal: tedge reconnect c8y"
