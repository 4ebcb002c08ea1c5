package harness

import (
	"crypto/sha256"
	"encoding/json"
)

// Confirm is Fresh for any address below the API's ("/v3/…"): a nonce, then the request with a
// passkey's signature over it. The answer may be a refusal.
func (d *Desk) Confirm(path string, body map[string]any) Answer {
	d.tb.Helper()
	raw, header, refused := d.Touch(path, body)
	if raw == nil {
		return refused
	}
	return d.Client().Must("POST", path, raw, header...)
}

// Touch makes what Confirm sends, without sending it: body and headers. Without a nonce raw is
// nil and the answer says why.
func (d *Desk) Touch(path string, body map[string]any) (raw []byte, header []string, refused Answer) {
	d.tb.Helper()
	n := d.Ask("POST", "nonce", map[string]any{})
	if !n.OK() {
		return nil, nil, n
	}
	body["nonce"] = n.Field("nonce")
	raw, err := json.Marshal(body)
	if err != nil {
		d.tb.Fatal(err)
	}
	sum := sha256.Sum256([]byte("POST\n" + d.API + path + "\n" + string(raw)))
	answer, err := d.Passkeys.Get(n.Part("options"), sum[:])
	if err != nil {
		d.tb.Fatal(err)
	}
	proof, err := d.Key.Sign(Claims("POST", d.API+path, raw, d.Now()))
	if err != nil {
		d.tb.Fatal(err)
	}
	return raw, []string{"DPoP", proof, "X-Assertion", b64(answer)}, Answer{}
}
