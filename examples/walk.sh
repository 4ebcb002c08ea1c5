#!/usr/bin/env bash
# The whole main job against a running `tikakosh demo`, with curl and standard tools: sign in with a one-time code, register, find a place, book,
# be vaccinated by staff, download the certificate, verify it, and see it refused with one character changed.
# With TIKAKOSH_CLOCK=FILE the clock is that of `demo --clock-file FILE` (milliseconds to add).
# Usage: examples/walk.sh API OUTBOX STAFFDIR [TIKAKOSH]     e.g. examples/walk.sh http://127.0.0.1:8080 http://127.0.0.1:8081/SECRET /tmp/…/staff ./tikakosh
set -euo pipefail
api=${1:?usage: walk.sh API OUTBOX STAFFDIR [TIKAKOSH], as the demo printed them}; outbox=${2:?address of the outbox, as the demo printed it}; staff=${3:?folder with the staff key files}
api=${api%/}; api=${api%/api}; outbox=${outbox%/}
for f in manager vaccinator; do [ -r "$staff/$f.json" ] || { echo "no $f.json in $staff: give the folder that the demo printed" >&2; exit 2; }; done
bin=${4:-go run ./cmd/tikakosh}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mobile="0$(od -An -N4 -tu4 /dev/urandom | tr -d ' ' | tail -c 10 | awk '{printf "%09d", $1 % 1000000000}')"
clock=${TIKAKOSH_CLOCK:-}; seconds=$(($(date +%s) + $([ -z "$clock" ] && echo 0 || cat "$clock") / 1000))
indian() { TZ=IST-5:30 date -d "@$seconds" "$1"; } # needs no time-zone files
say() { printf '\n== %s\n' "$*"; }
field() { grep -o "\"$1\" *: *\"\{0,1\}[^\",}]*" | head -1 | sed 's/^[^:]*: *"\{0,1\}//'; }
post() { curl -sS --fail-with-body -X POST "$api/api$1" -H 'Content-Type: application/json' "${@:3}" -d "$2"; }

say "sign in: ask for a code"
txn=$(post /v2/auth/public/generateOTP "{\"mobile\":\"$mobile\"}" | field txnId)
for _ in $(seq 50); do
  code=$(curl -sS "$outbox/messages.json" | tr '}' '\n' | grep "\"$mobile\"" | grep -o '[0-9]\{6\} is your' | head -1 | cut -c1-6 || true)
  [ -n "$code" ] && break; sleep 0.1
done
hash=$(printf %s "$code" | sha256sum | cut -d' ' -f1)
token=$(post /v2/auth/public/confirmOTP "{\"otp\":\"$hash\",\"txnId\":\"$txn\"}" | field token)
auth=(-H "Authorization: Bearer $token")

say "register Asha"
ref=$(post /v2/registration/beneficiary/new '{"name":"Asha Test","birth_year":"1980","gender_id":2,"photo_id_type":6,"photo_id_number":"ABCDE1234F","comorbidity_ind":"N","consent_version":"1"}' "${auth[@]}" | field beneficiary_reference_id)
echo "reference id $ref"

say "find an open session today"
key="$staff/vaccinator.json"; centre=$(field center_id <"$key")
today=$(indian +%d-%m-%Y)
for _ in $(seq 100); do # a demo that has just started shows its sessions after a few seconds
  curl -sS --fail-with-body "$api/api/v2/appointment/sessions/public/calendarByCenter?center_id=$centre&date=$today" >"$work/centre.json"
  grep -q "\"date\":\"$today\"" "$work/centre.json" && break; sleep 0.1
done
centre_name=$(field name <"$work/centre.json"); district=$(field district_name <"$work/centre.json"); state=$(field state_name <"$work/centre.json")
session=$(field session_id <"$work/centre.json"); vaccine=$(grep -o '"sessions":.*' "$work/centre.json" | field vaccine)
quarter=$((10#$(indian +%H) / 6 + 1)) # the centre works around the clock in four slots of six hours
slot=$(grep -o '"slots":\[[^]]*' "$work/centre.json" | head -1 | cut -d'[' -f2 | cut -d'"' -f$((2 * quarter)))
echo "$centre_name, $vaccine, $slot"

say "book"
appointment=$(post /v2/appointment/schedule "{\"dose\":1,\"session_id\":\"$session\",\"slot\":\"$slot\",\"beneficiaries\":[\"$ref\"]}" "${auth[@]}" | field appointment_confirmation_no)
echo "appointment $appointment"
curl -sS --fail "$api/api/v2/appointment/appointmentslip/download?appointment_id=$appointment" "${auth[@]}" -o "$work/slip.pdf"
for _ in $(seq 50); do
  security=$(curl -sS "$outbox/messages.json" | tr '}' '\n' | grep "\"$mobile\"" | grep -o 'ode [0-9]\{4\}\b' | head -1 | cut -c5-8 || true)
  [ -n "$security" ] && break; sleep 0.1
done

say "the manager opens the session day (signed request)"
signed() { # key file, path, body
  printf %s "$3" >"$work/body"
  proof=$($bin staff sign --key "$1" --method POST --url "$api/api$2" --body "$work/body" ${clock:+--clock-file "$clock"})
  curl -sS --fail-with-body -o "$work/answer" -w '%{http_code}\n' -X POST "$api/api$2" -H 'Content-Type: application/json' -H "DPoP: $proof" --data-binary @"$work/body" || { cat "$work/answer"; return 1; }
}
signed "$staff/manager.json" /v3/staff/sessions "{\"center_id\":$centre,\"session_id\":\"$session\",\"date\":\"$today\",\"zone\":\"Asia/Kolkata\",\"name\":\"$centre_name\",\"district_name\":\"$district\",\"state_name\":\"$state\",\"vaccine\":\"$vaccine\"}"

say "the vaccinator records the dose with the code Asha brought"
signed "$key" /v2/vaccinator/beneficiaries/vaccinate "{\"beneficiary_reference_id\":\"$ref\",\"center_id\":$centre,\"vaccine\":\"$vaccine\",\"vaccine_batch\":\"DEMO-001\",\"dose\":1,\"dose1_date\":\"$today\",\"vaccinator_name\":\"Demo Vaccinator\",\"security_code\":\"$security\"}"

say "own record, certificate, access history"
curl -sS --fail "$api/api/v2/appointment/beneficiaries" "${auth[@]}" | grep -o '"vaccination_status":"[^"]*"'
curl -sS --fail "$api/api/v2/registration/certificate/public/download?beneficiary_reference_id=$ref" "${auth[@]}" -o "$work/certificate.pdf"
$bin certificate verify "$work/certificate.pdf" --keys "$api/api/v3/keys" --revocations "$api/api/v3/revocations"
curl -sS --fail "$api/api/v3/openings" "${auth[@]}" | grep -o '"view":"[^"]*"' | sort | uniq -c

say "the text of its code alone is accepted, one changed character is refused"
hc1=$(grep -a -o 'HC1:[0-9A-Z $%*+./:-]*' "$work/certificate.pdf" | head -1)
$bin certificate verify "$hc1" --keys "$api/api/v3/keys" --revocations "$api/api/v3/revocations" | grep GENUINE
middle=$((${#hc1} / 2)); other=A; [ "${hc1:middle:1}" = A ] && other=B
if $bin certificate verify "${hc1:0:middle}$other${hc1:middle+1}" --keys "$api/api/v3/keys"; then echo "a changed certificate was accepted"; exit 1; fi
say "done"
