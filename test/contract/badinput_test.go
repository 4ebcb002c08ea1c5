package contract

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/test/harness"
)

// form is a request that would succeed, so that nothing but what is made wrong
// in it can be the reason of a refusal.
type form struct {
	path string
	body map[string]any
	send func(t *testing.T, body []byte) harness.Answer
}

// forms sets a scene in which every POST route has a form, in the order in
// which they can be sent.
func forms(t *testing.T, s *harness.Server) []form {
	t.Helper()
	c, mobile := s.Holder()
	s.OpenToday()
	asha, ravi, meera := c.Enrol("Asha Test"), c.Enrol("Ravi Test"), c.Enrol("Meera Test")
	today, later := s.Today(), s.Later()[0]
	booking := map[string]any{"dose": 1, "session_id": later.Session, "slot": later.Slot, "beneficiaries": []string{ravi}}
	appointment := want(t, ask(t, c, "POST", bookPath, booking), 200).Field("appointment_confirmation_no")
	want(t, ask(t, c, "POST", bookPath, map[string]any{"dose": 1, "session_id": today.Session, "slot": today.Slot, "beneficiaries": []string{asha}}), 200)
	other := c.Enrol("Sita Test")
	moving, a := c.Book(later, 1, other)
	want(t, a, 200)
	code := s.SecurityCode(mobile, today.Date)
	txn, otp := s.Client().Code(s.Mobile())
	txn2, otp2 := s.Client().Code(s.Mobile())

	as := func(c *harness.Client, path string) func(*testing.T, []byte) harness.Answer {
		return func(t *testing.T, body []byte) harness.Answer { t.Helper(); return ask(t, c, "POST", path, body) }
	}
	by := func(role, path string) func(*testing.T, []byte) harness.Answer {
		k := s.StaffKey(role)
		return func(t *testing.T, body []byte) harness.Answer { t.Helper(); return signed(t, s, k, path, body) }
	}
	var out []form
	add := func(path string, send func(*testing.T, []byte) harness.Answer, body map[string]any) {
		out = append(out, form{path, body, send})
	}
	public := func(path string, body map[string]any) { add(path, as(s.Client(), path), body) }
	mine := func(path string, body map[string]any) { add(path, as(c, path), body) }
	public("/v2/auth/public/generateOTP", map[string]any{"mobile": s.Mobile(), "work": ""})
	public("/v2/auth/generateMobileOTP", map[string]any{"mobile": s.Mobile()})
	public("/v2/auth/public/confirmOTP", map[string]any{"otp": harness.Digest(otp), "txnId": txn})
	public("/v2/auth/validateMobileOtp", map[string]any{"otp": harness.Digest(otp2), "txnId": txn2})
	full := harness.Person{Name: "Kiran Test", ID: s.PAN()}.Form()
	full["name_local"], full["birth_date"], full["guardian_name"] = "किरण", "01-02-1980", "Uma Test"
	mine(enrolPath, full)
	next := s.Later()[1]
	mine(movePath, map[string]any{"appointment_id": moving, "session_id": next.Session, "slot": next.Slot})
	mine(cancelPath, map[string]any{"appointment_id": appointment, "beneficiariesToCancel": []string{ravi}})
	mine(bookPath, booking)
	mine(removePath, map[string]any{"beneficiary_reference_id": meera})
	add("/v3/staff/sessions", by("manager", "/v3/staff/sessions"), sessionForm(today))
	add(harness.VaccinatePath, by("vaccinator", harness.VaccinatePath), harness.DoseForm(today, asha, code, 1))
	mine("/v2/auth/getRecaptcha", map[string]any{})
	partner := s.EnrolPartner("Test Clinic", "auth,status")
	allowed := func(path string) func(*testing.T, []byte) harness.Answer {
		c := s.Client()
		return func(t *testing.T, body []byte) harness.Answer {
			t.Helper()
			return ask(t, c, "POST", path, body, partner.Headers(c, "POST", path, body)...)
		}
	}
	asked := func(base string, body map[string]any) map[string]any {
		c := s.Client()
		a := want(t, c.By(partner, "POST", base+"/generateOTP", body), 200)
		number, _ := cmp.Or(body["mobile"], body["mobile_number"]).(string)
		return map[string]any{"otp": harness.Digest(s.AwaitMessages(number, 0, 10*time.Second)[0].Code()), "txnId": a.Field("txnId")}
	}
	for base, body := range map[string]func() map[string]any{
		"/v2/auth":        func() map[string]any { return map[string]any{"mobile": s.Mobile(), "work": ""} },
		"/v3/vaccination": func() map[string]any { return map[string]any{"mobile_number": s.Mobile(), "full_name": "Asha Test"} },
	} {
		add(base+"/generateOTP", allowed(base+"/generateOTP"), body())
		add(base+"/confirmOTP", allowed(base+"/confirmOTP"), asked(base, body()))
	}
	cardForms(s, asha, public, by, add)
	doseForms(s, by, add)
	until := later30(s)
	mine("/v3/alerts", map[string]any{"pincode": "110001", "dose": 1, "vaccine": "COVAXIN", "until": until})
	wish := want(t, ask(t, c, "POST", "/v3/alerts", map[string]any{"district_id": 1, "dose": 1, "until": until}), 200).Field("alert_id")
	mine("/v3/alerts/delete", map[string]any{"alert_id": wish})
	mine("/v3/email", map[string]any{"email": "a" + s.Mobile() + "@mail.example"})
	address := "b" + s.Mobile() + "@mail.example"
	emailTxn := want(t, ask(t, c, "POST", "/v3/email", map[string]any{"email": address}), 200).Field("txnId")
	mine("/v3/email/confirm", map[string]any{"otp": harness.Digest(s.AwaitMessages(address, 0, 10*time.Second)[0].Code()), "txnId": emailTxn})
	mine("/v3/email/delete", map[string]any{})
	deviceForms(s, add)
	shareForms(t, s, public, add)
	rosterForms(t, s, by, add)
	leaveForms(t, s, asha, public, mine)
	mine("/v3/session/end", map[string]any{})
	identityForms(t, add)
	glassForms(t, add)
	requestForms(t, add)
	relinkForms(t, add)
	return out
}

// leaveForms: asha, who has her dose by then, leaves and comes back; somebody else
// has left before.
func leaveForms(t *testing.T, s *harness.Server, asha string, public, mine func(string, map[string]any)) {
	t.Helper()
	c, mobile := s.Holder()
	gone := c.Enrol("Gone Test")
	s.Vaccinate(c, mobile, gone)
	tracking := want(t, ask(t, c, "POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": gone}), 200).Field("tracking_number")
	mine("/v3/registration/leave", map[string]any{"beneficiary_reference_id": asha})
	mine("/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": asha})
	public("/v3/registration/leave/status", map[string]any{"tracking_number": tracking})
}

// strangers are fields that no route declares (R40).
func strangers() map[string]any {
	return map[string]any{"role": "manager", "facility_id": 1, "dose_status": "confirmed", "owner": nowhere, "verified": true, "is_canary": true, "Holder": map[string]any{"Bearer": "x"}}
}

// strict reports whether a schema refuses fields that it does not declare.
func strict(schema *openapi3.Schema) bool {
	more := schema.AdditionalProperties.Has
	return more != nil && !*more
}

// TestBadInput: no malformed body is taken by any POST route, each is refused
// in the contract's shape, and nothing changes: not a byte of the registry, not
// a message. Then each route takes the form that the bodies were made from.
func TestBadInput(t *testing.T) {
	s := server(t)
	all := forms(t, s)
	before, messages := settled(t, s), len(s.Messages())
	seen, sent := map[string]bool{}, 0
	for _, f := range all {
		template, op := operation(description(t), "POST", "/api"+f.path)
		if op == nil {
			t.Fatalf("%s is not described", f.path)
		}
		seen[template] = true
		schema := op.RequestBody.Value.Content["application/json"].Schema.Value
		for name, body := range malformed(t, schema, f.body) {
			if len(body) == 0 && !op.RequestBody.Value.Required {
				continue
			}
			sent++
			a := f.send(t, body)
			wrongSize := strings.HasPrefix(name, "oversize") != (a.Status == 413)
			if a.Status < 400 || a.Status >= 500 || wrongSize {
				t.Errorf("%s, %s: %s\n%.200q", f.path, name, a.Text(), body)
			}
			if a.Status == 400 && a.Field("errorCode") == "" {
				t.Errorf("%s, %s: no errorCode: %s", f.path, name, a.Text())
			}
		}
	}
	for template, item := range description(t).Paths.Map() {
		if item.Post != nil && !seen[template] {
			t.Errorf("%s has no form here", template)
		}
	}
	after := settled(t, s)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			t.Errorf("%s changed: %s, then %s", name, before[name], after[name])
		}
	}
	if n := len(s.Messages()); n != messages {
		t.Errorf("%d messages were sent", n-messages)
	}
	t.Logf("%d malformed bodies to %d routes", sent, len(all))
	for _, f := range all {
		_, op := operation(description(t), "POST", "/api"+f.path)
		if !strict(op.RequestBody.Value.Content["application/json"].Schema.Value) {
			// CoWIN's routes pass over what they do not declare: what the forms do
			// is looked at elsewhere, and must not depend on it.
			maps.Copy(f.body, strangers())
		}
		raw, err := json.Marshal(f.body)
		if err != nil {
			t.Fatal(err)
		}
		if a := f.send(t, raw); !a.OK() {
			t.Errorf("%s: the form itself was refused, so the refusals prove nothing: %s", f.path, a.Text())
		}
	}
}

// settled is a digest of every column of the registry, once nothing that
// earlier requests left to the worker is under way.
func settled(t *testing.T, s *harness.Server) map[string]string {
	t.Helper()
	var last map[string]string
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		now := map[string]string{}
		for name, values := range s.Blobs(harness.RegistryDB) {
			sum := sha256.New()
			for _, v := range values {
				fmt.Fprintf(sum, "%d:", len(v))
				sum.Write(v)
			}
			now[name] = fmt.Sprintf("%d rows, %s", len(values), hex.EncodeToString(sum.Sum(nil)[:6]))
		}
		if maps.Equal(now, last) && s.Cell(harness.RegistryDB, "SELECT count(*) FROM outbox") == "0" {
			return now
		}
		last = now
	}
	t.Fatal("the registry does not come to rest")
	return nil
}

// malformed makes every bad body of a good one: not JSON, not the object that
// is wanted, and each described field missing or of a wrong kind.
func malformed(t *testing.T, schema *openapi3.Schema, good map[string]any) map[string][]byte {
	t.Helper()
	encode := func(m map[string]any) []byte {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw := encode(good)
	inside := strings.TrimSuffix(strings.TrimPrefix(string(raw), "{"), "}")
	comma := ""
	if inside != "" {
		comma = ","
	}
	many := "{"
	for i := range 65 {
		many += fmt.Sprintf(`"f%d":0,`, i)
	}
	out := map[string][]byte{
		"empty": {}, "nothing": []byte("null"), "text": []byte(`"x"`), "number": []byte("1"), "list": []byte("[" + string(raw) + "]"),
		"two values": append(slices.Clone(raw), raw...), "trailing": append(slices.Clone(raw), 'x'), "cut": raw[:len(raw)-1],
		"trailing comma": []byte("{" + inside + ",}"), "comment": []byte("/*x*/" + string(raw)), "byte order mark": append([]byte("\xef\xbb\xbf"), raw...),
		"NaN": []byte("{" + inside + comma + `"x":NaN}`), "Infinity": []byte("{" + inside + comma + `"x":-Infinity}`), "hex": []byte("{" + inside + comma + `"x":0x1}`),
		"single quotes": []byte("{" + inside + comma + `'x':1}`), "control character": []byte("{" + inside + comma + "\"x\":\"\n\"}"),
		"UTF-8 in a name": []byte("{" + inside + comma + "\"\xff\":1}"), "UTF-8 in a value": []byte("{" + inside + comma + "\"x\":\"\xc3\x28\"}"),
		"UTF-16": utf16(raw), "nested": []byte("{" + inside + comma + `"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + "}"),
		"nested deeply": []byte("{" + inside + comma + `"x":` + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + "}"),
		"too many":      []byte(many + strings.TrimPrefix(string(raw), "{")), "unknown twice": []byte("{" + inside + comma + `"x":1,"x":1}`),
		"oversize": append(slices.Clone(raw), bytes.Repeat([]byte(" "), 256<<10)...), "oversize text": []byte("{" + inside + comma + `"x":"` + strings.Repeat("a", 1<<20) + `"}`),
	}
	if many := out["too many"]; strings.HasSuffix(string(many), ",}") {
		out["too many"] = append(many[:len(many)-2], '}')
	}
	if strict(schema) {
		for name, v := range strangers() {
			m := maps.Clone(good)
			m[name] = v
			out["stranger "+name] = encode(m)
		}
	}
	for name, p := range schema.Properties {
		v, ok := good[name]
		if !ok {
			continue
		}
		required := slices.Contains(schema.Required, name)
		value := encode(map[string]any{name: v})
		pair := string(value[1 : len(value)-1])
		out[name+" twice"] = []byte("{" + inside + "," + pair + "}")
		out[name+" twice, other case"] = []byte("{" + inside + "," + strings.Replace(pair, name, strings.ToUpper(name), 1) + "}")
		wrong := map[string]any{"object": map[string]any{}, "list of lists": []any{[]any{}}, "true": true, "fraction": json.Number("1.5"), "negative": json.Number("-1"), "huge": json.Number("1e400")}
		if required {
			m := maps.Clone(good)
			delete(m, name)
			out[name+" missing"] = encode(m)
			wrong["null"], wrong["empty"], wrong["NUL"], wrong["long"] = nil, "", "1\x00", strings.Repeat("1", 4000)
		}
		if p.Value.Type.Is("boolean") {
			delete(wrong, "true")
		}
		if p.Value.Type.Is("string") {
			wrong["integer"] = 1
		}
		if p.Value.Type.Is("array") {
			wrong["list of objects"], wrong["list of nothing"], wrong["empty list"] = []any{map[string]any{}}, []any{nil}, []any{}
		}
		for kind, w := range wrong {
			m := maps.Clone(good)
			m[name] = w
			out[name+" "+kind] = encode(m)
		}
	}
	return out
}

func utf16(raw []byte) []byte {
	out := []byte("\xff\xfe")
	for _, b := range raw {
		out = append(out, b, 0)
	}
	return out
}
