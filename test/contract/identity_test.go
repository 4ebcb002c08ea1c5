package contract

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/internal/access/department/departmenttest"
	"tikakosh/test/harness"
)

// staffWorld is a server of its own, whose clock is a day or two ahead: three
// administrators, so that nothing waits.
type staffWorld struct {
	server  *harness.Server
	a, b, c *harness.Desk
	at      *departmenttest.Provider // of a department in force
}

func newStaffWorld(life *harness.Life, b *harness.Builder, o harness.Options, department bool) func() *staffWorld {
	return sync.OnceValue(func() *staffWorld {
		w := &staffWorld{server: harness.Start(life, b, o)}
		w.a, w.b, w.c = w.server.Administrators()
		if department {
			w.at = w.server.Department(w.a, nil)
			w.at.Public(true)
		}
		return w
	})
}

// desk is one of the world's browsers for this test, signed in anew.
func (w *staffWorld) desk(t *testing.T, d *harness.Desk) *harness.Desk {
	t.Helper()
	n := *d
	n.Server = w.server.For(t)
	n.Must(n.SignIn(""))
	return &n
}

// placeholder stands in a form for a nonce or ceremony that is made when it is sent.
const (
	placeholder     = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
	emptyCredential = `{"id":"placeholder"}`
)

// identities calls every route of staff who sign in, on a server of their own.
func (r *tour) identities() {
	r.Helper()
	w := shared.staff()
	doc := description(r.T)
	told := func(d *harness.Desk, method, act string, body any, a harness.Answer) harness.Answer {
		r.Helper()
		path := harness.IdentityPath + act
		template, op := operation(doc, method, "/api"+path)
		if op == nil {
			r.Fatalf("%s %s is not described", method, path)
		}
		r.seen[method+" "+template] = true
		if body != nil {
			raw, err := json.Marshal(body)
			if err != nil {
				r.Fatal(err)
			}
			if err := jsonMismatch(op.RequestBody.Value.Content["application/json"].Schema.Value, raw, openapi3.VisitAsRequest()); err != nil {
				r.Errorf("%s: the request is not as described: %v", act, err)
			}
		}
		if err := mismatch(doc, method, "/api"+path, a); err != nil {
			r.Errorf("%s %s: %v", method, act, err)
		}
		if !a.OK() {
			r.Fatalf("%s %s: %s", method, act, a.Text())
		}
		return a
	}
	post := func(d *harness.Desk, act string, body map[string]any) harness.Answer {
		r.Helper()
		return told(d, "POST", act, body, d.Ask("POST", act, body))
	}
	fresh := func(d *harness.Desk, act string, body map[string]any) harness.Answer {
		r.Helper()
		return told(d, "POST", act, body, d.Fresh(act, body))
	}
	get := func(d *harness.Desk, act string) harness.Answer {
		r.Helper()
		return told(d, "GET", act, nil, d.Ask("GET", act, nil))
	}
	a, b, c := w.desk(r.T, w.a), w.desk(r.T, w.b), w.desk(r.T, w.c)
	for _, d := range []*harness.Desk{a, b, c} {
		d.Language = r.lang
	}
	post(a, "nonce", map[string]any{})
	inv := fresh(a, "invitations", map[string]any{"name": "Vani Test", "grant": "vaccinator@centre/21/395/7"})
	fresh(b, "approve", b.Approval(inv.Field("proposal_id")))
	v := a.Server.Desk()
	v.Language = r.lang
	begun := post(v, "enrol/begin", map[string]any{"link": inv.Field("link")})
	made, err := v.Passkeys.Create(begun.Part("options"))
	if err != nil {
		r.Fatal(err)
	}
	enrolled := post(v, "enrol/finish", map[string]any{"ceremony": begun.Field("ceremony"), "credential": json.RawMessage(made)})
	v.Member, v.Device = enrolled.Field("member_id"), enrolled.Field("device_id")
	begun = post(v, "sign-in/begin", map[string]any{})
	if made, err = v.Passkeys.Get(begun.Part("options"), nil); err != nil {
		r.Fatal(err)
	}
	post(v, "sign-in/finish", map[string]any{"ceremony": begun.Field("ceremony"), "credential": json.RawMessage(made)})
	get(v, "me")
	r.department(w, post, get)
	post(v, "session/grant", map[string]any{"grant": "vaccinator@centre/21/395/7"})
	day := v.Now().Format("02-01-2006")
	post(a, "roster", map[string]any{"member_id": v.Member, "center_id": 7, "date": day, "on": true})
	get(a, "roster?center_id=7&date="+day)
	fresh(v, "devices/link", map[string]any{})
	on := fresh(a, "changes", map[string]any{"kind": "roster-mode", "center_id": 7, "on": true})
	more := fresh(a, "changes", map[string]any{"kind": "budgets", "budgets": map[string]int{"base": 29}})
	files := fresh(a, "changes", map[string]any{"kind": "policies", "files": policyFiles(r.T, a.Server)})
	get(b, "changes/one?proposal_id="+files.Field("proposal_id"))
	post(a, "withdraw", map[string]any{"proposal_id": files.Field("proposal_id")})
	get(b, "proposals")
	get(b, "changes/one?proposal_id="+more.Field("proposal_id"))
	fresh(b, "approve", b.Approval(on.Field("proposal_id")))
	get(a, "proposals")
	for _, p := range []harness.Answer{on, more} { // in the other language once more
		post(a, "withdraw", map[string]any{"proposal_id": p.Field("proposal_id")})
	}
	get(a, "members")
	get(a, "members/one?member_id="+v.Member)
	more = fresh(a, "grants", map[string]any{"member_id": v.Member, "grant": "verifier@centre/21/395/7"})
	post(a, "withdraw", map[string]any{"proposal_id": more.Field("proposal_id")})
	fresh(a, "recovery", map[string]any{"member_id": v.Member})
	post(a, "sessions/end", map[string]any{"member_id": v.Member})
	post(a, "grants/end", map[string]any{"member_id": v.Member, "grant": "vaccinator@centre/21/395/7", "reason": "moved"})
	x := a.Invite(b, "Xena Test", "vaccinator@centre/21/395/7")
	post(a, "devices/end", map[string]any{"member_id": x.Member, "device_id": x.Device, "reason": "lost"})
	post(a, "members/disable", map[string]any{"member_id": x.Member, "reason": "left"})
	post(c, "sign-out", map[string]any{})
}

// policyFiles are the policies that come with the program, with one more.
func policyFiles(t *testing.T, s *harness.Server) map[string]string {
	t.Helper()
	files := s.PolicyFiles()
	files["more.cedar"] = "@id(\"no-lists\")\nforbid (principal is Staff, action == Action::\"staff.list\", resource);\n"
	return files
}

// department signs somebody in at theirs, and shows a configuration that waits.
func (r *tour) department(w *staffWorld, post func(*harness.Desk, string, map[string]any) harness.Answer, get func(*harness.Desk, string) harness.Answer) {
	r.Helper()
	d := w.server.For(r.T).Desk()
	d.Language = r.lang
	w.at.Login(map[string]any{"sub": "tour", "roles": []string{"lead-7"}})
	begun := post(d, "department/begin", map[string]any{"department": "health"})
	if begun.Field("ceremony") == "" {
		r.Fatal("no ceremony")
	}
	d.NewKey()
	at, a := d.AtDepartment()
	d.Must(a)
	post(d, "department/finish", map[string]any{"ceremony": at.Ceremony, "department": "health", "code": at.Code, "verifier": at.Verifier})
	get(d, "me")
	more := map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}, "lead-7": {"manager@centre/21/395/7", "vaccinator@centre/21/395/7"}, "in " + r.lang + ".": {"verifier@centre/21/395/7"}}
	if harness.Waiting(w.server.For(r.T).SetDepartment(w.at, map[string]any{"mapping": more})) == "" {
		r.Fatal("nothing waits")
	}
	get(w.desk(r.T, w.a), "proposals")
}

// identityForms are the good requests of the routes of staff who sign in, in the order
// in which they can be sent.
func identityForms(t *testing.T, add func(path string, send func(*testing.T, []byte) harness.Answer, body map[string]any)) {
	t.Helper()
	w := shared.staff()
	a, b, c := w.desk(t, w.a), w.desk(t, w.b), w.desk(t, w.c)
	v := a.Invite(b, "Veda Test", "vaccinator@centre/21/395/8")
	m := a.Invite(b, "Mani Test", "manager@centre/21/395/8")
	inv := a.Must(a.Fresh("invitations", map[string]any{"name": "Nila Test", "grant": "auditor@national"}))
	b.Must(b.Fresh("approve", b.Approval(inv.Field("proposal_id"))))
	waits := a.Must(a.Fresh("invitations", map[string]any{"name": "Tara Test", "grant": "auditor@national"})).Field("proposal_id")
	drop := a.Must(a.Fresh("invitations", map[string]any{"name": "Usha Test", "grant": "auditor@national"})).Field("proposal_id")
	n := a.Server.Desk()

	plain := func(d *harness.Desk, act string, body map[string]any) {
		add(harness.IdentityPath+act, func(t *testing.T, raw []byte) harness.Answer { return d.Ask("POST", act, raw) }, body)
	}
	fresh := func(d *harness.Desk, act string, body map[string]any) {
		body["nonce"] = placeholder
		add(harness.IdentityPath+act, func(t *testing.T, raw []byte) harness.Answer {
			t.Helper()
			nonce := d.Must(d.Ask("POST", "nonce", map[string]any{}))
			raw = bytes.ReplaceAll(raw, []byte(placeholder), []byte(nonce.Field("nonce")))
			return d.Ask("POST", act, raw, "X-Assertion", d.Assertion(nonce.Part("options"), "POST", act, raw))
		}, body)
	}
	ceremony := func(d *harness.Desk, begin, finish string, with map[string]any, answer func(options []byte) ([]byte, error)) {
		add(harness.IdentityPath+finish, func(t *testing.T, raw []byte) harness.Answer {
			t.Helper()
			d.NewKey()
			c := d.Must(d.Ask("POST", begin, with))
			got, err := answer(c.Part("options"))
			if err != nil {
				t.Fatal(err)
			}
			raw = bytes.ReplaceAll(raw, []byte(placeholder), []byte(c.Field("ceremony")))
			return d.Ask("POST", finish, bytes.ReplaceAll(raw, []byte(emptyCredential), got))
		}, map[string]any{"ceremony": placeholder, "credential": json.RawMessage(emptyCredential)})
	}
	link := map[string]any{"link": inv.Field("link")}
	plain(n, "enrol/begin", link)
	ceremony(n, "enrol/begin", "enrol/finish", link, n.Passkeys.Create)
	in := a.Server.Desk()
	in.Passkeys = c.Passkeys
	plain(in, "sign-in/begin", map[string]any{})
	ceremony(in, "sign-in/begin", "sign-in/finish", map[string]any{}, func(o []byte) ([]byte, error) { return in.Passkeys.Get(o, nil) })
	plain(a.Server.Desk(), "department/begin", map[string]any{"department": "health"})
	add(harness.IdentityPath+"department/finish", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		d := a.Server.Desk()
		w.at.Login(map[string]any{"sub": "forms", "roles": []string{"jab-7"}})
		at, begun := d.AtDepartment()
		d.Must(begun)
		for mark, text := range map[string]string{placeholder: at.Ceremony, "placeholder-code": at.Code, "placeholder-verifier": at.Verifier} {
			raw = bytes.ReplaceAll(raw, []byte(mark), []byte(text))
		}
		return d.Ask("POST", "department/finish", raw)
	}, map[string]any{"ceremony": placeholder, "department": "health", "code": "placeholder-code", "verifier": "placeholder-verifier"})
	plain(a, "nonce", map[string]any{})
	plain(b, "session/grant", map[string]any{"grant": harness.National})
	fresh(a, "invitations", map[string]any{"name": "Hema Test", "grant": "auditor@national", "staff_number": "EMP-7"})
	fresh(a, "grants", map[string]any{"member_id": v.Member, "grant": "verifier@centre/21/395/8"})
	fresh(a, "recovery", map[string]any{"member_id": v.Member})
	fresh(b, "devices/link", map[string]any{})
	fresh(b, "approve", b.Approval(waits))
	plain(a, "withdraw", map[string]any{"proposal_id": drop})
	fresh(a, "changes", map[string]any{"kind": "roster-mode", "center_id": 8, "on": true})
	plain(m, "roster", map[string]any{"member_id": v.Member, "center_id": 8, "date": v.Now().Format("02-01-2006"), "on": true})
	plain(a, "sessions/end", map[string]any{"member_id": v.Member, "session_id": v.Session()})
	plain(a, "devices/end", map[string]any{"member_id": m.Member, "device_id": m.Device, "reason": "lost"})
	plain(a, "grants/end", map[string]any{"member_id": v.Member, "grant": "vaccinator@centre/21/395/8", "reason": "moved"})
	plain(a, "members/disable", map[string]any{"member_id": m.Member, "reason": "left"})
	plain(c, "sign-out", map[string]any{})
}
