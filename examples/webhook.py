# A webhook as GitHub sends it: proves the sender by the shared secret, answers at once, and leaves the work to a job.
#
#   openssl rand -hex 16 | prisn secret create webhook
#   prisn deploy examples/visits.py
#   prisn deploy examples/webhook.py --secret webhook:WEBHOOK_SECRET -e JOB=visits
import hashlib
import hmac
import json
import os
import sys
import urllib.request


def answer(status, text):
    print(f"Status: {status}\nContent-Type: text/plain\n\n{text}")
    sys.exit()


body = sys.stdin.buffer.read()
expected = "sha256=" + hmac.new(os.environ["WEBHOOK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
if not hmac.compare_digest(expected, os.environ.get("HTTP_X_HUB_SIGNATURE_256", "")):
    answer("401 Unauthorized", "the signature is missing or wrong")

job = {"deployment_id": os.environ["JOB"], "input": json.loads(body)}
request = urllib.request.Request(os.environ["PRISN_API"] + "/api/v1/executions", json.dumps(job).encode())
# A webhook that comes twice runs the job once.
if delivery := os.environ.get("HTTP_X_GITHUB_DELIVERY"):
    request.add_header("Idempotency-Key", delivery)
with urllib.request.urlopen(request) as response:
    answer("202 Accepted", json.load(response)["id"])
