package keeper_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

// FuzzBearer: whatever text is taken says what the vault once signed.
func FuzzBearer(f *testing.F) {
	r := newRig(f)
	good := r.signIn("0000000601").Bearer
	claims := claimsOf(f, good)
	for _, s := range []string{good, "", "a.b.c", good + "=", harness.Forge(good, []byte(`{"alg":"none"}`), nil), harness.Forge(good, nil, []byte(`{"jti":1}`)),
		harness.Forge(good, []byte(`{"alg":"ES256","typ":"tikakosh+jwt","kid":"x"}`), nil), strings.Repeat(".", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := r.k.CheckBearer(text)
		if err == nil && got != claims {
			t.Errorf("taken: %q", text)
		}
		if err != nil && !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzProof: whatever proof is taken was signed for this very request.
func FuzzProof(f *testing.F) {
	r := newRig(f)
	good := r.sign(r.staff("vaccinator", testCentre), doseURL, map[string]any{"a": 1})
	add := func(s vault.Signed) { f.Add(s.Method, s.URL, s.Body, s.Proof) }
	add(good)
	for _, proof := range []string{"", "a.b.c", good.Proof + "A", harness.Forge(good.Proof, []byte(`{"typ":"dpop+jwt","alg":"none"}`), nil),
		harness.Forge(good.Proof, nil, []byte(`{"jti":"x","htm":"POST"}`)), harness.Forge(good.Proof, []byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC"}}`), nil)} {
		s := good
		s.Proof = proof
		add(s)
	}
	f.Fuzz(func(t *testing.T, method, url string, body []byte, proof string) {
		_, err := r.k.Proof(t.Context(), vault.Signed{Method: method, URL: url, Body: body, Proof: proof})
		if err == nil && (method != good.Method || url != good.URL || !bytes.Equal(body, good.Body)) {
			t.Errorf("taken for %s %s %q", method, url, body)
		}
		if err != nil && !fault.Is(err, fault.Unauthorized) {
			t.Error(err)
		}
	})
}

// FuzzDoseBody: what is taken has every field in its form.
func FuzzDoseBody(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, ``, `{"dose":1e3}`, `{"center_id":"7","dose":"1","beneficiary_reference_id":12345678901234}`,
		string(mustJSON(map[string]any{"beneficiary_reference_id": id.NewReference(), "center_id": 7, "vaccine": "COVISHIELD", "vaccine_batch": "B-1", "dose": 1,
			"dose1_date": "24-11-2026", "vaccinator_name": "Staff Test", "security_code": "0042"}))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ref, centre, lot, code, dose, err := keeper.ParseDose(body)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
			return
		}
		if _, err := id.ParseReference(string(ref)); err != nil || centre <= 0 || lot == "" || len(code) != 4 || dose < 1 || dose > 9 {
			t.Errorf("%q was taken as %s %d %q %q %d", body, ref, centre, lot, code, dose)
		}
	})
}

// FuzzSessionBody: a manager's signed bytes open a session of her centre and
// today, or nothing.
func FuzzSessionBody(f *testing.F) {
	r := newRig(f)
	manager := r.staff("manager", testCentre)
	o := r.offer("COVISHIELD")
	for _, s := range []string{`{}`, `[]`, ``, `{"zone":"../etc/passwd"}`, `{"date":"24-11-2026","zone":"Local","name":"x","session_id":"y","center_id":7}`, string(mustJSON(sessionBody(o)))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		proof, err := manager.Sign(harness.Claims("POST", sessionsURL, body, r.clock()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: vault.Signed{Method: "POST", URL: sessionsURL, Body: body, Proof: proof}})
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var got struct {
			Centre int64  `json:"center_id"`
			Date   string `json:"date"`
		}
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&got); err != nil || got.Centre != int64(testCentre) {
			t.Errorf("opened by %q (%v)", body, err)
		}
	})
}

// FuzzLedgerEntry: a row opens as what was sealed under its index, or not.
func FuzzLedgerEntry(f *testing.F) {
	r := newRig(f)
	r.register("0000000601", 1)
	var rows []state.Entry
	if err := r.st.View(f.Context(), func(tx state.Tx) (err error) { rows, err = tx.Entries(f.Context(), 0, 10); return err }); err != nil {
		f.Fatal(err)
	}
	for _, e := range rows {
		f.Add(e.Index, e.Leaf, e.Sealed)
	}
	f.Add(int64(0), []byte{}, []byte{})
	f.Add(int64(-1), rows[0].Leaf, rows[0].Sealed[:13])
	f.Fuzz(func(t *testing.T, index int64, leaf, sealed []byte) {
		_, err := r.k.OpenEntry(state.Entry{Index: index, Leaf: leaf, Sealed: sealed})
		known := slices.ContainsFunc(rows, func(e state.Entry) bool {
			return e.Index == index && bytes.Equal(e.Leaf, leaf) && bytes.Equal(e.Sealed, sealed)
		})
		if (err == nil) != known || (err != nil && !fault.Is(err, fault.Integrity)) {
			t.Errorf("entry %d: %v", index, err)
		}
	})
}

// FuzzRequest: any bytes to any method as any caller get an answer of the
// socket's form, and never an internal error.
func FuzzRequest(f *testing.F) {
	r := newRig(f)
	p := r.register("0000000601", 1)
	for i, body := range []any{vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)}, vault.Holder{}, vault.DoseRequest{}, vault.CodeRequest{Mobile: "0000000602"},
		vault.CodeAnswer{Txn: id.New(), Digest: sha("x")}, vault.CommittedRequest{Seals: []string{"x"}}, vault.StaffEnrolRequest{Name: "x", Role: "manager", Centre: 1, PublicJWK: []byte("{}")},
		vault.EnrolRequest{Holder: p.holder, Key: "k", Identity: asha(2), Consent: consentOne}, vault.UnfinishedRequest{Before: 1}, vault.SeedRequest{}} {
		f.Add(uint8(i), uint8(i), mustJSON(body))
	}
	methods := r.k.AllWords()
	handlers := map[keeper.Caller]http.Handler{}
	for _, c := range callers {
		handlers[c] = r.k.Handler(c)
	}
	f.Fuzz(func(t *testing.T, caller, method uint8, body []byte) {
		c, m := callers[int(caller)%len(callers)], methods[int(method)%len(methods)]
		code, fail := post(handlers[c], m, body)
		switch {
		case code == http.StatusOK:
		case code != http.StatusUnprocessableEntity || fail.Kind == "" || fail.Kind == fault.Internal || fail.Kind == fault.Unknown:
			t.Errorf("%s as %s with %q: %d %+v", m, c, body, code, fail)
		}
	})
}

func FuzzGivenBody(f *testing.F) {
	f.Add([]byte(`{"beneficiary_reference_id":"10000000000009","center_id":7,"vaccine":"COVISHIELD","dose":1,"dose_date":"01-02-2026","vaccinator_name":"A","source":"abroad","country":"FR","security_code":"1234"}`))
	f.Add([]byte(`{"source":"historical","card":"TK1:X"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		source, country, sequence, err := keeper.ParseGiven(body)
		if err == nil && (source == "abroad" != (len(country) == 2) || country == "IN" || sequence < 1 || sequence > 9) {
			t.Errorf("taken: %q %q %d", source, country, sequence)
		}
	})
}

func FuzzCorrectionBody(f *testing.F) {
	f.Add([]byte(`{"kind":"correct","center_id":7,"event_id":"0b6c0000-0000-4000-8000-000000000000","beneficiary_reference_id":"10000000000009","dose":2,"reason":"x"}`))
	f.Add([]byte(`{"kind":"confirm","person_seen":true,"date":"01-02-2026","reason":" "}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		kind, reason, dose, err := keeper.ParseCorrection(body)
		if err == nil && (kind == "" || strings.TrimSpace(reason) == "" || dose < 0 || dose > 9) {
			t.Errorf("taken: %q %q %d", kind, reason, dose)
		}
	})
}
