package redteam

import (
	"fmt"
	"time"

	"tikakosh/test/harness"
)

// People who sign in with a passkey, as callers. The first ten are at work; those of a
// centre at the first one and on its roster of today.
const (
	byMNational     = "member: national administrator"
	byMState        = "member: state administrator"
	byMDistrict     = "member: district administrator"
	byMManager      = "member: manager"
	byMVacc         = "member: vaccinator"
	byMVerifier     = "member: verifier"
	byMAuditor      = "member: auditor"
	byMPrivacy      = "member: privacy officer"
	byMInvestigator = "member: investigator"
	byMOperator     = "member: operator"
	byMOffDuty      = "member: vaccinator off the roster"
	byMExpired      = "a vaccinator's session whose time is over"
	byMEnded        = "a vaccinator's session that was ended"
	byMDisabled     = "the session of an administrator who was disabled"
	byMInvited      = "the browser of somebody invited and not approved"
)

// members are those who are at work.
func members() []string {
	return append(administrators(), byMVacc, byMVerifier, byMAuditor, byMPrivacy, byMInvestigator, byMOperator, byMOffDuty)
}

// administrators are those who look after the members of the first centre.
func administrators() []string { return []string{byMNational, byMState, byMDistrict, byMManager} }

// newFullStage is newStage with the people who sign in. Their invitations take two days
// of the server's time, so they come first.
func newFullStage(t harness.TB, s *harness.Server, set func() *stage) *stage {
	t.Helper()
	a, b, c := s.Administrators()
	centre := s.StaffKey("vaccinator").Centre
	at := func(role string) string { return fmt.Sprintf("%s@centre/1/1/%d", role, centre) }
	desks := map[string]*harness.Desk{byMNational: b}
	for who, grant := range map[string]string{byMState: "state@state/1", byMDistrict: "district@district/1/1", byMManager: at("manager"), byMVacc: at("vaccinator"), byMVerifier: at("verifier"),
		byMAuditor: "auditor@national", byMPrivacy: "privacy@national", byMInvestigator: "investigator@national", byMOperator: "operator@national",
		byMOffDuty: at("vaccinator"), byMDisabled: harness.National} {
		desks[who] = a.Invite(b, "Test "+who, grant)
	}
	again := func(d *harness.Desk) *harness.Desk { // the same person at another browser
		o := *d
		o.Must(o.SignIn(""))
		return &o
	}
	desks[byMExpired] = again(desks[byMVacc])
	s.Forward(16 * time.Minute)
	for who, d := range desks {
		if who != byMExpired {
			d.Must(d.SignIn(""))
		}
	}
	a.Must(a.SignIn(""))
	c.Must(c.SignIn(""))
	desks[byMEnded] = again(desks[byMVacc])
	desks[byMEnded].Must(desks[byMEnded].Ask("POST", "sign-out", map[string]any{}))
	a.Must(a.Ask("POST", "members/disable", map[string]any{"member_id": desks[byMDisabled].Member, "reason": "left"}))
	for _, who := range []string{byMVacc, byMVerifier} {
		a.Must(a.Ask("POST", "roster", map[string]any{"member_id": desks[who].Member, "center_id": centre, "date": s.Indian(), "on": true}))
	}
	invited := a.Must(a.Fresh("invitations", map[string]any{"name": "Waman Test", "grant": at("vaccinator")}))
	desks[byMInvited] = s.Desk()
	w := set()
	w.proposer, w.second, w.desks, w.invitation = a, c, desks, invited.Field("link")
	for who, d := range desks {
		w.keys[who] = d.Key
	}
	return w
}

// signedIn signs a member in anew.
func (w *stage) signedIn(who string) {
	w.t.Helper()
	d := w.desks[who]
	d.Must(d.SignIn(""))
	w.keys[who] = d.Key
}

// centreGrant is a role at the first centre.
func (w *stage) centreGrant(role string) string {
	return fmt.Sprintf("%s@centre/1/1/%d", role, w.today.Centre)
}

// subject is a new vaccinator of the first centre, whom others decide about.
func (w *stage) subject() *harness.Desk {
	w.t.Helper()
	w.wishes++
	return w.proposer.Invite(w.second, fmt.Sprintf("Subject %c%c Test", 'A'+rune(w.wishes/26%26), 'A'+rune(w.wishes%26)), w.centreGrant("vaccinator"))
}

// inviting is an invitation that waits for a second person.
func (w *stage) inviting() string {
	w.t.Helper()
	return w.proposer.Must(w.proposer.Fresh("invitations", map[string]any{"name": "Yuri Test", "grant": w.centreGrant("vaccinator")})).Field("proposal_id")
}

// identityForms are those of the routes of staff who sign in. Machines' keys may send
// none of them. Who begins a sign-in is nobody yet.
func (w *stage) identityForms(out map[string]form) {
	if w.desks == nil {
		return
	}
	const none = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
	credential := map[string]any{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": map[string]any{}}
	add := func(method, act string, may []string, each, fresh bool, make func() map[string]any, used func(string)) {
		out[method+" /api"+harness.IdentityPath+act] = form{may: may, each: each, used: used, make: func() asked {
			q := w.nobody()
			q.path, q.fresh, q.body = harness.IdentityPath+act, fresh, make()
			return q
		}}
	}
	post := func(act string, may []string, body map[string]any) {
		add("POST", act, may, len(may) > 1, false, func() map[string]any { return body }, nil)
	}
	// about somebody: each needs a new one
	about := func(act string, may []string, fresh bool, make func() map[string]any) {
		add("POST", act, may, true, fresh, make, nil)
	}
	everyone, heads := members(), administrators()
	subject := w.subject()
	post("enrol/begin", nil, map[string]any{"link": w.invitation}) // it is not approved yet
	post("enrol/finish", nil, map[string]any{"ceremony": none, "credential": credential})
	post("sign-in/begin", []string{byPartner, byStranger, byBoth, byMInvited}, map[string]any{})
	post("sign-in/finish", nil, map[string]any{"ceremony": none, "credential": credential})
	post("department/begin", nil, map[string]any{"department": "none"})
	post("department/finish", nil, map[string]any{"ceremony": none, "department": "none", "code": "x", "verifier": "x"})
	add("POST", "sign-out", everyone, true, false, func() map[string]any { return map[string]any{} }, w.signedIn)
	post("nonce", everyone, map[string]any{})
	post("session/grant", []string{byMNational}, map[string]any{"grant": harness.National})
	post("sessions/end", heads, map[string]any{"member_id": subject.Member})
	about("devices/link", everyone, true, func() map[string]any { return map[string]any{"nonce": none} })
	about("devices/end", heads, false, func() map[string]any {
		d := w.subject()
		return map[string]any{"member_id": d.Member, "device_id": d.Device, "reason": "lost"}
	})
	about("invitations", heads, true, func() map[string]any {
		return map[string]any{"nonce": none, "name": "Uma Test", "grant": w.centreGrant("vaccinator")}
	})
	about("grants", heads, true, func() map[string]any {
		return map[string]any{"nonce": none, "member_id": subject.Member, "grant": w.centreGrant("verifier")}
	})
	about("grants/end", heads, false, func() map[string]any {
		return map[string]any{"member_id": w.subject().Member, "grant": w.centreGrant("vaccinator"), "reason": "moved"}
	})
	about("recovery", heads, true, func() map[string]any { return map[string]any{"nonce": none, "member_id": subject.Member} })
	about("approve", heads, true, func() map[string]any {
		body := w.proposer.Approval(w.inviting())
		body["nonce"] = none
		return body
	})
	about("withdraw", heads, false, func() map[string]any { return map[string]any{"proposal_id": w.inviting()} })
	about("members/disable", heads, false, func() map[string]any { return map[string]any{"member_id": w.subject().Member, "reason": "left"} })
	about("roster", heads, false, func() map[string]any {
		return map[string]any{"member_id": subject.Member, "center_id": w.today.Centre, "date": w.s.Indian(), "on": true}
	})
	about("changes", heads, true, func() map[string]any {
		return map[string]any{"nonce": none, "kind": "roster-mode", "center_id": w.today.Centre, "on": true}
	})
	get := func(act, query string, may []string) {
		out["GET /api"+harness.IdentityPath+act] = form{may: may, each: true, make: func() asked {
			q := w.nobody()
			q.path = harness.IdentityPath + act + query
			return q
		}}
	}
	get("me", "", everyone)
	get("proposals", "", everyone)
	get("members", "", heads)
	get("members/one", "?member_id="+subject.Member, heads)
	get("changes/one", "?proposal_id="+w.proposer.Must(w.proposer.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": w.today.Centre, "on": true})).Field("proposal_id"), heads)
	get("roster", fmt.Sprintf("?center_id=%d&date=%s", w.today.Centre, w.s.Indian()), heads)
}
