package edge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Identities are the vault's words for staff who are people (ADR 31). What an act asks
// the vault reads from what was signed; here only its form is looked at.
type Identities interface {
	StaffBegin(ctx context.Context, r vault.StaffAct) (vault.StaffCeremony, error)
	StaffAct(ctx context.Context, r vault.StaffAct) (vault.StaffActed, error)
}

// identityForm is the body of an act: every field there is, each named by those that
// take it. All are optional here; what has to be there the vault says.
type identityForm struct {
	Link       *string         `json:"link"`
	Name       *string         `json:"name"`
	Ceremony   *string         `json:"ceremony"`
	Credential json.RawMessage `json:"credential"`
	Grant      *string         `json:"grant"`
	Member     *string         `json:"member_id"`
	Session    *string         `json:"session_id"`
	Device     *string         `json:"device_id"`
	Proposal   *string         `json:"proposal_id"`
	Read       *string         `json:"text_sha256"`
	Reason     *string         `json:"reason"`
	Nonce      *string         `json:"nonce"`
	Number     *string         `json:"staff_number"`
	Centre     *int64          `json:"center_id"`
	Date       *string         `json:"date"`
	On         *bool           `json:"on"`
	Kind       *string         `json:"kind"`
	Budgets    *map[string]int `json:"budgets"`

	Files *map[string]string `json:"files"`

	Department *string `json:"department"`
	Code       *string `json:"code"`
	Verifier   *string `json:"verifier"`
}

// identityRoute is one act: how it is asked, which fields must be there, and what is
// answered.
type identityRoute struct {
	act      string
	action   string
	newcomer bool // by a key that is nobody's yet
	begins   bool // asks for a ceremony
	needs    string
}

func identityActs() []identityRoute {
	return []identityRoute{
		{vault.ActEnrolBegin, "staff.enrol", true, true, "link"},
		{vault.ActEnrolFinish, "staff.enrol", true, false, "ceremony credential"},
		{vault.ActSignInBegin, "staff.sign-in", true, true, ""},
		{vault.ActSignInFinish, "staff.sign-in", true, false, "ceremony credential"},
		{vault.ActDepartmentBegin, "staff.sign-in", true, true, "department"},
		{vault.ActDepartmentFinish, "staff.sign-in", true, false, "ceremony department code verifier"},
		{vault.ActSignOut, "staff.sign-out", false, false, ""},
		{vault.ActGrantChosen, "staff.grant.choose", false, false, "grant"},
		{vault.ActSessionsEnd, "staff.sessions.end", false, false, "member_id"},
		{vault.ActNonce, "staff.nonce", false, true, ""},
		{vault.ActDeviceLink, "staff.device.link", false, false, "nonce"},
		{vault.ActDeviceEnd, "staff.device.end", false, false, "member_id device_id reason"},
		{vault.ActInvite, "staff.invite", false, false, "nonce name grant"},
		{vault.ActGrant, "staff.grant.propose", false, false, "nonce member_id grant"},
		{vault.ActGrantEnd, "staff.grant.end", false, false, "member_id grant reason"},
		{vault.ActRecover, "staff.recover", false, false, "nonce member_id"},
		{vault.ActApprove, "staff.approve", false, false, "nonce proposal_id text_sha256"},
		{vault.ActWithdraw, "staff.withdraw", false, false, "proposal_id"},
		{vault.ActDisable, "staff.member.disable", false, false, "member_id reason"},
		{vault.ActChange, "staff.change.propose", false, false, "nonce kind"},
		{vault.ActRosterPut, "staff.roster.put", false, false, "member_id center_id date on"},
	}
}

func identityRoutes() []Route {
	var out []Route
	for _, a := range identityActs() {
		r := Route{Method: "POST", Path: vault.RouteIdentity + "/" + a.act, Audience: Staff, Action: a.action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: identityAct(a)}
		if a.newcomer {
			r.Audience, r.Rate = Newcomer, RateCode
		}
		if a.act == vault.ActChange {
			r.BodyLimit = vault.MaxChange
		}
		out = append(out, r)
	}
	get := func(act, action string, check func(*Ctx) error) Route {
		return Route{Method: "GET", Path: vault.RouteIdentity + "/" + act, Audience: Staff, Action: action, Rate: RateSelf, ContentType: typeJSON, Handler: identityShown(check)}
	}
	return append(out,
		get(vault.ActMe, "staff.me", noQuery),
		get(vault.ActProposals, "staff.proposals", noQuery),
		get(vault.ActMembers, "staff.members", optionalID("after")),
		get(vault.ActMember, "staff.member", requiredID("member_id")),
		get(vault.ActChangeShown, "staff.change", requiredID("proposal_id")),
		get(vault.ActRoster, "staff.roster", rosterQuery))
}

// identityAct passes a member's signed act on.
func identityAct(a identityRoute) func(*Ctx) error {
	needs := strings.Fields(a.needs)
	return func(c *Ctx) error {
		var f identityForm
		if err := c.decode(&f); err != nil {
			return err
		}
		for _, name := range needs {
			if !f.has(name) {
				return missing(name)
			}
		}
		if a.act == vault.ActDepartmentFinish {
			return c.departmentDone(f)
		}
		if a.begins {
			got, err := c.s.cfg.Identities.StaffBegin(c.r.Context(), vault.StaffAct{Signed: c.staff})
			if err != nil {
				return err
			}
			return c.json(ceremonyWire(a, got))
		}
		return c.identityDone("")
	}
}

// identityDone carries an act out; token is of a sign-in at a department.
func (c *Ctx) identityDone(token string) error {
	got, err := c.s.cfg.Identities.StaffAct(c.r.Context(), vault.StaffAct{Signed: c.staff, Token: token})
	if err != nil {
		return err
	}
	return c.json(actedWire(got))
}

func identityShown(check func(*Ctx) error) func(*Ctx) error {
	return func(c *Ctx) error {
		if err := check(c); err != nil {
			return err
		}
		return c.identityDone("")
	}
}

func noQuery(c *Ctx) error { return nil }

func optionalID(name string) func(*Ctx) error {
	return func(c *Ctx) error {
		if v := c.r.URL.Query().Get(name); v != "" && !id.Valid(v) {
			return fault.New(fault.Invalid, "USRRES0001", name+" is not an id of a member of staff")
		}
		return nil
	}
}

func requiredID(name string) func(*Ctx) error {
	return func(c *Ctx) error {
		if c.r.URL.Query().Get(name) == "" {
			return missing(name)
		}
		return optionalID(name)(c)
	}
}

func rosterQuery(c *Ctx) error {
	q := c.r.URL.Query()
	if n, err := strconv.ParseInt(q.Get("center_id"), 10, 64); err != nil || n <= 0 {
		return missing("center_id")
	}
	if _, err := civil.ParseIndian(q.Get("date")); err != nil {
		return wanted("date", "a day as dd-mm-yyyy")
	}
	return nil
}

// has reports whether a field is there with something in it.
func (f identityForm) has(name string) bool {
	text := map[string]*string{"link": f.Link, "ceremony": f.Ceremony, "grant": f.Grant, "member_id": f.Member, "device_id": f.Device, "reason": f.Reason,
		"nonce": f.Nonce, "name": f.Name, "kind": f.Kind, "proposal_id": f.Proposal, "text_sha256": f.Read, "date": f.Date, "department": f.Department, "code": f.Code, "verifier": f.Verifier}
	switch name {
	case "credential":
		return len(f.Credential) > 0
	case "center_id":
		return f.Centre != nil && *f.Centre > 0
	case "on":
		return f.On != nil
	default:
		return text[name] != nil && *text[name] != ""
	}
}

type wireCeremony struct {
	ID      string          `json:"ceremony,omitempty"`
	Nonce   string          `json:"nonce,omitempty"`
	Kind    string          `json:"kind,omitempty"`
	Options json.RawMessage `json:"options"`
	Expires string          `json:"expires_at"`
}

func ceremonyWire(a identityRoute, got vault.StaffCeremony) wireCeremony {
	w := wireCeremony{ID: got.ID, Options: got.Options, Expires: instant(got.Expires)}
	switch a.act {
	case vault.ActEnrolBegin:
		w.Kind = got.Kind
	case vault.ActNonce:
		w.ID, w.Nonce = "", got.ID
	}
	return w
}

type wireStaffSession struct {
	ID      string `json:"session_id"`
	Device  string `json:"device_id"`
	Grant   string `json:"grant"`
	Began   string `json:"began_at"`
	Last    string `json:"last_at"`
	Expires string `json:"expires_at"`
	Idle    string `json:"idle_until"`
	Current bool   `json:"current"`
}

func staffSessionWire(s vault.StaffSession) wireStaffSession {
	return wireStaffSession{s.ID, s.Device, s.Grant, instant(s.Began), instant(s.Last), instant(s.Expires), instant(s.Idle), s.Current}
}

type wireMember struct {
	ID     string   `json:"member_id"`
	Name   string   `json:"name"`
	State  string   `json:"state"`
	Since  string   `json:"since"`
	Grants []string `json:"grants"`
}

func memberWire(m vault.StaffMember) wireMember {
	return wireMember{m.ID, m.Name, m.State, instant(m.Since), m.Grants}
}

type wireDevice struct {
	ID       string `json:"device_id"`
	State    string `json:"state"`
	Since    string `json:"since"`
	Last     string `json:"last_at,omitempty"`
	Copyable bool   `json:"can_be_copied"`
}

type wireProposal struct {
	ID      string `json:"proposal_id"`
	Kind    string `json:"kind"`
	Member  string `json:"member_id,omitempty"`
	Name    string `json:"name,omitempty"`
	Grant   string `json:"grant,omitempty"`
	Device  string `json:"device_id,omitempty"`
	By      string `json:"proposed_by"`
	Mine    bool   `json:"mine"`
	At      string `json:"proposed_at"`
	From    string `json:"approve_from"`
	Expires string `json:"expires_at"`
	State   string `json:"state"`
	Text    string `json:"text,omitempty"` // all that it says; its SHA-256 is signed by who approves it
	Centre  int64  `json:"center_id,omitempty"`
	On      bool   `json:"on,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Force   string `json:"in_force_from,omitempty"`

	Department json.RawMessage `json:"department,omitempty"` // a configuration that waits, as it would be in force
}

func proposalWire(p vault.StaffProposal) wireProposal {
	w := wireProposal{ID: p.ID, Kind: p.Kind, Member: p.Member, Name: p.Name, Grant: p.Grant, Device: p.Device, By: p.By, Mine: p.Mine, At: instant(p.At), From: instant(p.NotBefore),
		Expires: instant(p.Expires), State: p.State, Text: p.Text, Centre: p.Centre, On: p.On, Digest: p.Digest, Department: p.Department}
	if p.Force > 0 {
		w.Force = instant(p.Force)
	}
	return w
}

// wireActed is the answer to every act; what an act is not about is left out.
type wireActed struct {
	Proposal  string             `json:"proposal_id,omitempty"`
	Kind      string             `json:"kind,omitempty"`
	MemberID  string             `json:"member_id,omitempty"`
	Device    string             `json:"device_id,omitempty"`
	State     string             `json:"state,omitempty"`
	Link      string             `json:"link,omitempty"`
	From      string             `json:"approve_from,omitempty"`
	Expires   string             `json:"expires_at,omitempty"`
	Ended     int                `json:"ended,omitempty"`
	Session   *wireStaffSession  `json:"session,omitempty"`
	Member    *wireMember        `json:"member,omitempty"`
	Devices   []wireDevice       `json:"devices,omitempty"`
	Sessions  []wireStaffSession `json:"sessions,omitempty"`
	Members   *[]wireMember      `json:"members,omitempty"`
	Proposals *[]wireProposal    `json:"proposals,omitempty"`
	More      bool               `json:"more,omitempty"`
	Centre    int64              `json:"center_id,omitempty"`
	Day       string             `json:"date,omitempty"`
	Force     string             `json:"in_force_from,omitempty"`
	Budgets   map[string]int     `json:"budgets,omitempty"`
	Now       map[string]int     `json:"budgets_in_force,omitempty"`
	Files     *map[string]string `json:"files,omitempty"`
	FilesNow  *map[string]string `json:"files_in_force,omitempty"`
	Text      string             `json:"text,omitempty"`
	Receipts  []string           `json:"receipts"`
}

func actedWire(a vault.StaffActed) wireActed {
	w := wireActed{Proposal: a.Proposal, Kind: a.Kind, MemberID: a.Member, Device: a.Device, State: a.State, Link: a.Link, Ended: a.Ended, More: a.More, Centre: a.Centre, Day: a.Day, Text: a.Text,
		Receipts: append([]string{}, a.Receipts...)}
	if a.From > 0 {
		w.From = instant(a.From)
	}
	if a.Expires > 0 {
		w.Expires = instant(a.Expires)
	}
	if a.Force > 0 {
		w.Force = instant(a.Force)
	}
	if a.Change != nil {
		w.Budgets, w.Now = a.Change.Budgets, a.Change.Now
		if a.Change.Policies {
			w.Files, w.FilesNow = &a.Change.Files, &a.Change.FilesNow
		}
	}
	if a.Session != nil {
		s := staffSessionWire(*a.Session)
		w.Session = &s
	}
	if a.Person != nil {
		m := memberWire(*a.Person)
		w.Member = &m
	}
	for _, d := range a.Devices {
		last := ""
		if d.Last > 0 {
			last = instant(d.Last)
		}
		w.Devices = append(w.Devices, wireDevice{d.ID, d.State, instant(d.Since), last, d.Copyable})
	}
	for _, s := range a.Sessions {
		w.Sessions = append(w.Sessions, staffSessionWire(s))
	}
	if a.Members != nil {
		rows := []wireMember{}
		for _, m := range a.Members {
			rows = append(rows, memberWire(m))
		}
		w.Members = &rows
	}
	if a.Proposals != nil {
		rows := []wireProposal{}
		for _, p := range a.Proposals {
			rows = append(rows, proposalWire(p))
		}
		w.Proposals = &rows
	}
	return w
}

// assertionOf reads the header in which a passkey's answer over the request comes.
func assertionOf(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > 8<<10 || !json.Valid(raw) {
		return nil, fault.New(fault.Invalid, "USRRES0001", "X-Assertion has to be a passkey's answer as JSON, in base64url")
	}
	return raw, nil
}
