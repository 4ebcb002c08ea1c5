package redteam

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// capturedVariable turns this test binary into the attacker inside the web role.
const capturedVariable = "TIKAKOSH_TEST_CAPTURED_WEB"

// scene is what somebody who has captured the web role holds: its socket to the
// vault (descriptor 3), its user, the registry database, the addresses of
// people in it, a session of their own, a session of the victim that ended,
// and the device key of a vaccinator at work.
type scene struct {
	Data, API                string
	Victim, House, Reference string
	Name                     string // of the victim: what must not come out
	Hold, Session            string // the victim's live booking
	Me, MyBearer, DeadBearer string
	Outbox                   string // host and port of the page with the codes
	Separate                 bool
	Vaccinator               json.RawMessage
	Today                    harness.Day
	Now                      time.Time

	Partner       vault.PartnerCall // a partner's request that went through the web role
	PartnerBearer string            // the victim's consent to that partner
}

// loot is one attempt's result.
type loot struct {
	What   string
	Got    bool
	Detail string
}

// TestI10CapturedWeb speaks to the vault as the web role does, from a process
// under the web role's user: nothing opens without a live proof, and invented
// bookings, sessions and blobs open nothing.
func TestI10CapturedWeb(t *testing.T) {
	t.Parallel()
	attack := func(t *testing.T, s *harness.Server) (bool, string) {
		sc, victim := setScene(t, s)
		count := func() int {
			n := 0
			for _, o := range victim.Openings() {
				if o.Kind == "opening" {
					n++
				}
			}
			return n
		}
		first := count()
		own := count() - first // what looking itself adds
		got, separate := capture(t, s, sc)
		for _, l := range got {
			if l.Got {
				return true, l.What + ": " + l.Detail
			}
		}
		if after := count(); after != first+2*own {
			return true, fmt.Sprintf("the victim's history shows %d openings that nobody made", after-first-2*own)
		}
		// The registry now says that the victim is in the attacker's household and
		// has an appointment that nobody made; the web role as it is believes none.
		if found, a := shows(s.Client().With(sc.MyBearer), sc.Name); found {
			return true, fmt.Sprintf("through the API after the registry was rewritten: status %d", a.Status)
		}
		who := "the same user (not started as root)"
		if separate {
			who = "the web role's user"
		}
		return false, fmt.Sprintf("%d attempts over the web role's socket as %s: nothing", len(got), who)
	}
	run(t, "I10", trial{name: "no proof", own: true, off: []string{"vault-proof"}, try: attack},
		trial{name: "somebody else's record", own: true, off: []string{"ownership"}, try: attack})
}

// setScene makes victim and attacker.
func setScene(t *testing.T, s *harness.Server) (scene, *harness.Client) {
	t.Helper()
	victim, mobile := s.Holder()
	sc := scene{Data: s.Data, API: s.API, Name: nameA, Reference: victim.Enrol(nameA), Now: s.Now(), Today: s.Today()}
	d := s.Later()[0]
	hold, a := victim.Book(d, 1, sc.Reference)
	if hold == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	sc.Hold, sc.Session = hold, d.Session
	sc.Victim = s.PersonOf(sc.Reference)
	sc.House = s.Cell(harness.RegistryDB, "SELECT household FROM person WHERE person = $1", sc.Victim)
	ended := s.Client().SignIn(mobile)
	if a := ended.Must("POST", "/v3/session/end", map[string]any{}); !a.OK() {
		t.Fatalf("ending a session: %s", a.Text())
	}
	sc.DeadBearer = ended.Bearer
	u, err := url.Parse(s.Outbox)
	if err != nil {
		t.Fatal(err)
	}
	sc.Outbox = u.Host
	me, _ := s.Holder()
	sc.Me, sc.MyBearer = s.PersonOf(me.Enrol(nameB)), me.Bearer
	if sc.Vaccinator, err = os.ReadFile(filepath.Join(s.Staff, "vaccinator.json")); err != nil {
		t.Fatal(err)
	}
	if a := s.Client().OpenSession(s.StaffKey("manager"), sc.Today); !a.OK() {
		t.Fatalf("the manager's session: %s", a.Text())
	}
	p := s.EnrolPartner("Test Clinic", "auth,status,certificate")
	c := s.Client().With(s.Client().PartnerToken(p, mobile, ""))
	const view = "/v2/appointment/beneficiaries"
	header := p.Headers(c, "GET", view, nil)
	if a := c.Must("GET", view, nil, header...); !a.OK() {
		t.Fatalf("the partner's view: %s", a.Text())
	}
	sc.Partner = vault.PartnerCall{Key: p.APIKey, Signed: vault.Signed{Method: "GET", URL: s.API + view, Proof: header[3]}}
	sc.PartnerBearer = c.Bearer
	return sc, victim
}

// partners uses what a partner sent through the web role: its key, a request it
// signed, and the victim's consent to it.
func (a *attacker) partners(ctx context.Context, victim vault.Record) {
	key, err := harness.NewStaffKey("", 0)
	if err != nil {
		panic(err)
	}
	forge := func(body string) vault.PartnerCall {
		proof, err := key.Sign(harness.Claims("POST", a.API+"/x", []byte(body), a.Now))
		if err != nil {
			panic(err)
		}
		return vault.PartnerCall{Key: a.Partner.Key, Signed: vault.Signed{Method: "POST", URL: a.API + "/x", Body: []byte(body), Proof: proof}}
	}
	forged := forge("")
	for what, call := range map[string]*vault.PartnerCall{"no request": nil, "a request again": &a.Partner, "a forged request": &forged} {
		h := vault.Holder{Bearer: a.PartnerBearer, Partner: call}
		o, err := a.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{victim}})
		a.try("a partner's consent with "+what+": view", o, err)
		c, err := a.vault.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: victim})
		a.try("a partner's consent with "+what+": certificate", c, err)
		p, err := a.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Limit: 10})
		a.try("a partner's consent with "+what+": access history", p, err)
		h.Bearer = a.MyBearer
		st, err := a.vault.StatusPull(ctx, vault.StatusPullRequest{Holder: h, Records: []vault.Record{victim}})
		a.try("own session with "+what+": a partner's answer", st, err)
	}
	for _, body := range []string{`{"mobile":"5000000000"}`, `{"mobile_number":"5000000000","full_name":"Asha Test"}`} {
		for _, scope := range []string{vault.ScopeSignIn, vault.ScopeStatus, vault.ScopeCertificate, ""} {
			i, err := a.vault.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: forge(body), Scope: scope})
			a.try("a code in the partner's name", i, err)
		}
	}
	jwk, _ := json.Marshal(key.JWK())
	e, err := a.vault.EnrolPartner(ctx, vault.PartnerEnrolRequest{Name: "Test Intruder", Scopes: []string{vault.ScopeSignIn}, PublicJWK: jwk, KeyHash: vault.Hash{1}})
	a.try("a partner of the attacker's enrolled", e, err)
	l, err := a.vault.Partners(ctx)
	a.try("the operator's list of partners", l, err)
	st, err := a.vault.StaffCredentials(ctx)
	a.try("the operator's list of staff", st, err)
}

// capture runs the attacker with the web role's socket and user.
func capture(t *testing.T, s *harness.Server, sc scene) (got []loot, separate bool) {
	t.Helper()
	if sc.Separate = separateUser(t, s); os.Getuid() == 0 && !sc.Separate {
		t.Fatal("started as root, and the web role runs as root")
	}
	in, err := json.Marshal(sc)
	if err != nil {
		t.Fatal(err)
	}
	out, stderr := inWebRole(t, s, "1", in)
	if json.Unmarshal(out, &got) != nil || len(got) == 0 {
		t.Fatalf("the attacker's process: %s\n%s", out, stderr)
	}
	return got, sc.Separate
}

// webUser is the web role's user and group.
func webUser(t *testing.T, pid int) (uid, gid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`(?m)^(?:Uid|Gid):\s+(\d+)`).FindAllSubmatch(status, 2)
	uid, err1 := strconv.Atoi(string(ids[0][1]))
	gid, err2 := strconv.Atoi(string(ids[1][1]))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

func separateUser(t *testing.T, s *harness.Server) bool {
	t.Helper()
	uid, _ := webUser(t, s.Role(harness.RoleWeb))
	return uid != os.Getuid()
}

// inWebRole runs this test binary with the web role's socket (descriptor 3) and user, what
// it plays in capturedVariable, and in as its standard input.
func inWebRole(t *testing.T, s *harness.Server, what string, in []byte) (out, stderr []byte) {
	t.Helper()
	pid := s.Role(harness.RoleWeb)
	end := stolenSocket(t, pid)
	defer end.Close()
	uid, gid := webUser(t, pid)
	// The attacker's user cannot reach the test's own folder. Another process makes the copy:
	// while one of ours has it open for writing, a child that a parallel test starts inherits
	// that, and the file is busy (golang/go#22315).
	exe := filepath.Join(filepath.Dir(s.Data), filepath.Base(s.Data)+".attacker")
	if out, err := exec.Command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer os.Remove(exe)
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = []string{capturedVariable + "=" + what}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{end}
	cmd.Stdin = bytes.NewReader(in)
	var text bytes.Buffer
	cmd.Stderr = &text
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var err error
	if out, err = cmd.Output(); err != nil {
		t.Fatalf("the attacker's process: %v\n%s\n%s", err, out, text.Bytes())
	}
	return out, text.Bytes()
}

// stolenSocket duplicates the web role's end of its rendezvous with the vault:
// its only socket of that type.
func stolenSocket(t *testing.T, pid int) *os.File {
	t.Helper()
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		own, err := unix.PidfdGetfd(p, fd, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if typ, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && typ == unix.SOCK_SEQPACKET {
			return os.NewFile(uintptr(own), "vault")
		}
		_ = unix.Close(own)
	}
	t.Fatal("the web role's socket to the vault was not found (this needs root or ptrace rights over its own children)")
	return nil
}

// captured is the attacker's process.
func captured() int {
	var a attacker
	if err := json.NewDecoder(os.Stdin).Decode(&a.scene); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	a.vault = vault.NewClient(ipc.HTTPClient(ipc.NewDialer(os.NewFile(3, "vault")), 10*time.Second), ipc.BaseURL)
	if err := a.attack(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(a.got); err != nil {
		return 1
	}
	return 0
}

type attacker struct {
	scene
	vault *vault.Client
	db    *sql.DB
	got   []loot
}

// try notes an attempt: it succeeded when the vault did it, or when the
// victim's name is in what came back.
func (a *attacker) try(what string, answer any, err error) {
	raw, _ := json.Marshal(answer)
	l := loot{What: what, Got: err == nil, Detail: "done"}
	if err != nil {
		l.Detail = err.Error()
	}
	if bytes.Contains(raw, []byte(a.Name)) || strings.Contains(l.Detail, a.Name) {
		l.Got, l.Detail = true, "the victim's name came out"
	}
	a.got = append(a.got, l)
}

func (a *attacker) attack() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := a.vault.Status(ctx)
	if err != nil || !st.Ready {
		return fmt.Errorf("the stolen socket does not lead to the vault: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, harness.RegistryDB)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	a.db = db
	victim, err := a.record(ctx, a.Victim)
	if err != nil {
		return err
	}
	mine, err := a.record(ctx, a.Me)
	if err != nil {
		return err
	}
	if _, err := a.vault.Membership(ctx, vault.Holder{Bearer: a.MyBearer}); err != nil {
		return fmt.Errorf("the attacker's own session: %w", err)
	}
	a.withoutProof(ctx, victim)
	a.withOwnSession(ctx, victim, mine)
	a.othersWords(ctx)
	a.partners(ctx, victim)
	if err := a.inventions(ctx, victim); err != nil {
		return err
	}
	a.codes(ctx)
	return a.files()
}

// codes looks for the page that shows what is sent to phones: its port is known,
// and secrets of its address are tried wherever this user can read.
func (a *attacker) codes(ctx context.Context) {
	paths := map[string]bool{"": true}
	secret := regexp.MustCompile(`[a-z2-7]{26}`)
	if a.Separate { // one user for all roles hides nothing from itself
		for _, pattern := range []string{"/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline"} {
			files, _ := filepath.Glob(pattern)
			for _, f := range files {
				raw, _ := os.ReadFile(f)
				for _, s := range secret.FindAllString(string(raw), -1) {
					paths["/"+s] = true
				}
			}
		}
	}
	var err error = errors.New("no page without its secret")
	for p := range paths {
		for _, page := range []string{"/messages.json", "/"} {
			req, e := http.NewRequestWithContext(ctx, "GET", "http://"+a.Outbox+p+page, nil)
			if e != nil {
				panic(e)
			}
			res, e := http.DefaultClient.Do(req)
			if e != nil {
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				err = nil
			}
		}
	}
	a.try(fmt.Sprintf("the page with the codes, %d addresses", len(paths)), nil, err)
}

// record is what the registry holds of a person.
func (a *attacker) record(ctx context.Context, person string) (vault.Record, error) {
	rec := vault.Record{Person: id.Person(person)}
	rows, err := a.db.QueryContext(ctx, "SELECT seq, part, version, hash, body FROM sealed WHERE person = $1 ORDER BY seq", person)
	if err != nil {
		return rec, err
	}
	defer rows.Close()
	for rows.Next() {
		var p vault.Sealed
		var hash []byte
		if err := rows.Scan(&p.Seq, &p.Part, &p.Version, &hash, &p.Body); err != nil {
			return rec, err
		}
		p.Hash = vault.Hash(hash)
		rec.Parts = append(rec.Parts, p)
	}
	if len(rec.Parts) == 0 {
		return rec, errors.New("the registry holds nothing of that person")
	}
	return rec, rows.Err()
}

// withoutProof asks for everything with no session, a dead one, and made-up ones.
func (a *attacker) withoutProof(ctx context.Context, rec vault.Record) {
	key, err := harness.NewStaffKey("", 0)
	if err != nil {
		panic(err)
	}
	claims := map[string]any{}
	_ = json.Unmarshal(harness.Payload(a.DeadBearer), &claims)
	forged, err := key.SignAs(map[string]any{"alg": "ES256", "typ": "tikakosh+jwt"}, claims)
	if err != nil {
		panic(err)
	}
	for what, bearer := range map[string]string{"no session": "", "an ended session": a.DeadBearer, "the household's name": "household:" + a.House,
		"the person's name": a.Victim, "a bearer of the attacker's making": forged} {
		h := vault.Holder{Bearer: bearer}
		m, err := a.vault.Membership(ctx, h)
		a.try(what+": membership", m, err)
		o, err := a.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{rec}})
		a.try(what+": booking view", o, err)
		c, err := a.vault.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: rec})
		a.try(what+": certificate", c, err)
		s, err := a.vault.Slip(ctx, vault.SlipRequest{Holder: h, Hold: id.Hold(a.Hold), Records: []vault.Record{rec}})
		a.try(what+": slip", s, err)
		p, err := a.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: rec.Person, Limit: 10})
		a.try(what+": access history", p, err)
	}
}

// withOwnSession uses a live session of another household.
func (a *attacker) withOwnSession(ctx context.Context, victim, mine vault.Record) {
	h := vault.Holder{Bearer: a.MyBearer}
	o, err := a.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{victim, mine}})
	a.try("own session, victim's record beside mine: booking view", onlyIfNamed(o, err, a.Name), errUnlessNamed(o, err, a.Name))
	swapped := vault.Record{Person: mine.Person, Parts: victim.Parts}
	o, err = a.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{swapped}})
	a.try("own session, victim's blobs as mine: booking view", o, err)
	c, err := a.vault.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: victim})
	a.try("own session, victim's record: certificate", c, err)
	s, err := a.vault.Slip(ctx, vault.SlipRequest{Holder: h, Hold: id.Hold(a.Hold), Records: []vault.Record{victim}})
	a.try("own session, victim's booking: slip", s, err)
	p, err := a.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: victim.Person, Limit: 10})
	a.try("own session, victim's access history", p, err)
	d, err := a.vault.Remove(ctx, vault.RemoveRequest{Holder: h, Record: victim})
	a.try("own session: victim's registration removed", d, err)
	d, err = a.vault.Cancel(ctx, vault.CancelRequest{Holder: h, Hold: id.Hold(a.Hold), Persons: []id.Person{victim.Person}})
	a.try("own session: victim's booking cancelled", d, err)
	b, err := a.vault.Book(ctx, vault.BookRequest{Holder: h, Hold: id.Hold(id.New()), Dose: 1, Offer: a.offer(), Records: []vault.Record{victim}})
	a.try("own session: eligibility of the victim by an invented offer", b, err)
}

// onlyIfNamed and errUnlessNamed judge an answer that rightly shows the
// attacker's own people: it is a success only when it names the victim.
func onlyIfNamed(o vault.Opened, err error, name string) any {
	if err == nil && errUnlessNamed(o, err, name) != nil {
		return nil
	}
	return o
}

func errUnlessNamed(o vault.Opened, err error, name string) error {
	if err != nil {
		return err
	}
	for _, p := range o.People {
		if p.Name == name {
			return nil
		}
	}
	return errors.New("only the attacker's own people")
}

func (a *attacker) offer() vault.Offer {
	day, _ := civil.ParseIndian(a.Today.Date)
	return vault.Offer{Centre: id.Centre(a.Today.Centre), Session: id.Session(id.New()), Day: day, Zone: "Asia/Kolkata", Slot: a.Today.Slot, Product: a.Today.Vaccine, MinAge: 1}
}

// othersWords uses methods of other roles.
func (a *attacker) othersWords(ctx context.Context) {
	key, err := harness.NewStaffKey("", 0)
	if err != nil {
		panic(err)
	}
	jwk, _ := json.Marshal(key.JWK())
	e, err := a.vault.EnrolStaff(ctx, vault.StaffEnrolRequest{Name: "Demo Intruder", Role: "manager", Centre: id.Centre(a.Today.Centre), PublicJWK: jwk})
	a.try("a staff key of the attacker's enrolled", e, err)
	s, err := a.vault.Seed(ctx, vault.SeedRequest{Households: []vault.SeedHousehold{{Mobile: "0000000000"}}})
	a.try("the demo's word", s, err)
	u, err := a.vault.Unfinished(ctx, vault.UnfinishedRequest{Before: 1 << 60, Limit: 100})
	a.try("the worker's list", u, err)
	c, err := a.vault.Committed(ctx, vault.CommittedRequest{Seals: []string{id.New(), a.Hold, a.Victim}})
	if err == nil && c.Advanced == 0 {
		err = errors.New("none of them advanced anything")
	}
	a.try("invented seals reported as stored", c, err)
}

// inventions writes bookings, sessions and members into the registry and has
// the vaccinator's key sign for them.
func (a *attacker) inventions(ctx context.Context, victim vault.Record) error {
	hold := id.New()
	for _, q := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO member (household, slot, person, state, since, bucket) SELECT household, 6, $1, 1, since, bucket FROM member WHERE person = $2", []any{a.Victim, a.Me}},
		{"UPDATE appointment SET state = 3 WHERE person = $1 AND state = 1", []any{a.Victim}}, // room for the invented one
		{`INSERT INTO appointment (person, hold, centre, session, day, slot, product, programme, dose, state, created, bucket)
			SELECT p.person, $1, s.centre, s.session, s.day, $2, s.product, s.programme, 1, 1, 0, p.bucket FROM person p, session s WHERE p.person = $3 AND s.session = $4`,
			[]any{hold, a.Today.Slot, a.Victim, a.Today.Session}},
		{"UPDATE session SET cap1 = 1000000 WHERE session = $1", []any{a.Today.Session}},
	} {
		res, err := a.db.ExecContext(ctx, q.text, q.args...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("nothing was changed by %s: %w", q.text, err)
		}
	}
	key, err := harness.ParseStaffKey(a.Vaccinator)
	if err != nil {
		return err
	}
	sign := func(path string, form map[string]any) (vault.Signed, error) {
		body, err := json.Marshal(form)
		if err != nil {
			return vault.Signed{}, err
		}
		proof, err := key.Sign(harness.Claims("POST", a.API+path, body, a.Now))
		return vault.Signed{Method: "POST", URL: a.API + path, Body: body, Proof: proof}, err
	}
	for _, code := range []string{"0000", "1234", "9999"} {
		signed, err := sign(harness.VaccinatePath, harness.DoseForm(a.Today, a.Reference, code, 1))
		if err != nil {
			return err
		}
		d, err := a.vault.RecordDose(ctx, vault.DoseRequest{Signed: signed, Person: victim.Person, Record: victim})
		a.try("a dose on an invented booking, code "+code, d, err)
		mine := vault.DoseRequest{Signed: signed, Person: id.Person(a.Me), Record: victim}
		d, err = a.vault.RecordDose(ctx, mine)
		a.try("the same with the attacker in the victim's place", d, err)
	}
	signed, err := sign("/v3/staff/sessions", map[string]any{"center_id": a.Today.Centre, "session_id": id.New(), "date": a.Today.Date, "zone": "Asia/Kolkata",
		"name": a.Today.CentreName, "district_name": a.Today.District, "state_name": a.Today.State, "vaccine": a.Today.Vaccine})
	if err != nil {
		return err
	}
	o, err := a.vault.OpenSession(ctx, vault.OpenSessionRequest{Signed: signed})
	a.try("a session opened with the vaccinator's key", o, err)
	address := fmt.Sprintf("%s%s?center_id=%d", a.API, harness.ProposePath, a.Today.Centre)
	proof, err := key.Sign(harness.Claims("GET", address, nil, a.Now))
	if err != nil {
		return err
	}
	l, err := a.vault.Corrections(ctx, vault.CorrectionsRequest{Signed: vault.Signed{Method: "GET", URL: address, Proof: proof}})
	a.try("what waits for a second person, with the vaccinator's key", l, err)
	err = a.vault.ShowCard(ctx, vault.ShowCardRequest{Holder: vault.Holder{Bearer: a.MyBearer}, Card: vault.NewCardSecret().Text(), PIN: "123456"})
	a.try("an invented card shown", nil, err)
	return nil
}

// files tries what only the vault's user may touch.
func (a *attacker) files() error {
	if !a.Separate {
		return nil
	}
	for _, name := range []string{harness.VaultDB, "vault", "vault/keys", "staff/manager.json"} {
		f, err := os.Open(filepath.Join(a.Data, name))
		if err == nil {
			_, err = io.ReadAll(io.LimitReader(f, 1))
			if errors.Is(err, syscall.EISDIR) {
				err = nil
			}
			_ = f.Close()
		}
		a.try("reading "+name, nil, err)
	}
	c, err := net.Dial("unix", filepath.Join(a.Data, "vault/admin.sock"))
	if err == nil {
		_ = c.Close()
	}
	a.try("the operator's socket", nil, err)
	if err := os.WriteFile(filepath.Join(a.Data, "ledger/checkpoint"), []byte("x"), 0o644); err != nil {
		a.try("writing the ledger's files", nil, err)
	} else {
		a.try("writing the ledger's files", nil, nil)
	}
	return nil
}
