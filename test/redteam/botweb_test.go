package redteam

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// capturedBot is what capturedVariable says to play R100's part inside the web role.
const capturedBot = "bot"

// botScene is what the thief of a session has who has also captured the web role, with its
// socket to the vault, and the registry database: everybody's record as it is stored, every
// booking, and whatever passes at this moment.
type botScene struct {
	Data, API string
	Now       time.Time
	Thief     json.RawMessage // the stolen session's key
	Targets   []victim
	Mule      victim
	Card      harness.Card
	Bearer    string         // the thief's own household's session
	Passing   string         // a session of somebody who signs in now
	Held      []heldRequest  // a colleague's requests with somebody's right code, never passed on
	Touched   []vault.Signed // openings from the list that the stolen passkey signed
	Relinks   []vault.Signed // and re-links of the accomplice
}

type heldRequest struct {
	Ref    string
	Signed vault.Signed
}

// botLoot is what came of it.
type botLoot struct {
	Asked    int
	Found    []string
	Refusals map[string]int
}

// webHours are the hours in which the thief works inside the web role.
func webHour(h int) bool { return h == 0 || h == 9 || h == 20 }

// throughWeb asks the vault from inside the web role, with what passes through it.
func (b *bot) throughWeb() func() {
	played := -1
	return func() {
		h := len(b.hours)
		if !webHour(h) || played == h {
			return
		}
		played = h
		sc := botScene{Data: b.s.Data, API: b.s.API, Now: b.s.Now(), Targets: b.victims, Mule: b.mule, Card: b.card, Bearer: b.s.Client().SignIn(b.mule.Mobile).Bearer}
		var err error
		if sc.Thief, err = b.thief.Key.File(); err != nil {
			b.t.Fatal(err)
		}
		last := b.victims[len(b.victims)-1] // of a household without a booking: all of it passes
		sc.Passing = b.s.Client().SignIn(last.Mobile).Bearer
		for _, v := range b.victims {
			if v.Mobile == last.Mobile {
				b.passes(v)
			}
		}
		here := b.victims[6*(h%b.size.houses)+5] // somebody with a code shows it at this hour
		b.passes(here)
		sc.Held = append(sc.Held, heldRequest{here.Ref, b.signedView(b.colleague.Key, here.Ref, "code "+here.Code)})
		for i := 0; b.play.Roster && i < 3 && i < len(b.rows); i++ {
			sc.Touched = b.touched(sc.Touched, openRowPath, map[string]any{"row_id": b.rows[(b.nextRow+i)%len(b.rows)].Row})
		}
		for range 2 {
			sc.Relinks = b.touched(sc.Relinks, harness.RelinkPath, harness.Lost{Reference: b.mule.Ref, Document: b.mule.ID, New: b.s.Mobile()}.RelinkForm())
		}
		for _, p := range b.s.Column(harness.RegistryDB, fmt.Sprintf("SELECT reference || ' ' || person FROM reference ORDER BY person LIMIT %d", b.size.people/50+20)) {
			if ref, person := p[:14], p[15:]; b.real[ref] {
				sc.Targets = append(sc.Targets, victim{Ref: ref, Person: person})
			}
		}
		if !full() {
			sc.Targets = append(sc.Targets[:6:6], sc.Targets[len(b.victims)-8:]...)
		}
		in, err := json.Marshal(sc)
		if err != nil {
			b.t.Fatal(err)
		}
		var got botLoot
		out, _ := inWebRole(b.t, b.s, capturedBot, in)
		if err := json.Unmarshal(out, &got); err != nil || got.Asked == 0 {
			b.t.Fatalf("%v: %.300s", err, out)
		}
		b.asked += got.Asked
		for why, n := range got.Refusals {
			b.refusals[b.doing+": "+why] += n
		}
		for _, ref := range got.Found {
			b.obtained(ref)
		}
	}
}

// touched adds a request that the stolen passkey signed, and that was not sent.
func (b *bot) touched(to []vault.Signed, path string, body map[string]any) []vault.Signed {
	raw, header, _ := b.thief.Touch(path, body)
	if raw == nil {
		return to
	}
	touch, err := base64.RawURLEncoding.DecodeString(header[3])
	if err != nil {
		b.t.Fatal(err)
	}
	return append(to, vault.Signed{Method: "POST", URL: b.s.API + path, Body: raw, Proof: header[1], Assertion: touch})
}

// passes: this person's data goes through the web role because they act now; whoever holds
// it sees that, and it is no part of what the thief takes.
func (b *bot) passes(v victim) {
	if b.got[v.Ref] == "" && !b.served[v.Ref] {
		b.served[v.Ref] = true
		b.passed++
	}
}

func (b *bot) signedView(k harness.StaffKey, ref, evidence string) vault.Signed {
	at := b.s.API + harness.StaffViewPath + "?beneficiary_reference_id=" + ref
	proof, err := k.Sign(harness.Claims("GET", at, []byte(evidence), b.s.Now()))
	if err != nil {
		b.t.Fatal(err)
	}
	return vault.Signed{Method: "GET", URL: at, Body: []byte(evidence), Proof: proof}
}

// botInWeb is the attacker's process.
func botInWeb() int {
	x := botAttacker{loot: botLoot{Refusals: map[string]int{}}, found: map[string]bool{}}
	err := json.NewDecoder(os.Stdin).Decode(&x.botScene)
	if err == nil {
		x.vault = vault.NewClient(ipc.HTTPClient(ipc.NewDialer(os.NewFile(3, "vault")), 10*time.Second), ipc.BaseURL)
		err = x.attack()
	}
	if err == nil {
		for ref := range x.found {
			x.loot.Found = append(x.loot.Found, ref)
		}
		err = json.NewEncoder(os.Stdout).Encode(x.loot)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type botAttacker struct {
	botScene
	link  string // a link that opens the accomplice's certificate
	vault *vault.Client
	key   harness.StaffKey
	store *attacker // reads the registry database
	loot  botLoot
	found map[string]bool
}

// note judges an answer: by the people it names, or, of a document or a list about one
// person, by its being given.
func (x *botAttacker) note(what string, answer any, err error, about string) {
	x.loot.Asked++
	if err != nil {
		x.loot.Refusals[what]++
		return
	}
	raw, _ := json.Marshal(answer)
	var v any
	_ = json.Unmarshal(raw, &v)
	named(v, x.found)
	if about != "" {
		x.found[about] = true
	}
}

func (x *botAttacker) sign(method, path, body string) vault.Signed {
	proof, err := x.key.Sign(harness.Claims(method, x.API+path, []byte(body), x.Now))
	if err != nil {
		panic(err)
	}
	return vault.Signed{Method: method, URL: x.API + path, Body: []byte(body), Proof: proof}
}

func (x *botAttacker) attack() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if st, err := x.vault.Status(ctx); err != nil || !st.Ready {
		return fmt.Errorf("the stolen socket does not lead to the vault: %w", err)
	}
	var err error
	if x.key, err = harness.ParseStaffKey(x.Thief); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(x.Data, harness.RegistryDB)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	x.store = &attacker{db: db}
	mule, err := x.store.record(ctx, x.Mule.Person)
	if err != nil {
		return err
	}
	for i, v := range x.Targets {
		rec, err := x.store.record(ctx, v.Person)
		if err != nil {
			return err
		}
		var house string
		if err := db.QueryRowContext(ctx, "SELECT household FROM person WHERE person = $1", v.Person).Scan(&house); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		x.holders(ctx, v, rec, mule, house)
		if i%5 == 0 { // a session's wrong codes of a day are few
			x.staff(ctx, v, rec, mule)
		}
	}
	return nil
}

// holders asks for somebody in the name of others: sessions that pass, and made-up ones.
func (x *botAttacker) holders(ctx context.Context, v victim, rec, mule vault.Record, house string) {
	for what, bearer := range map[string]string{"no session": "", "the household's name": "household:" + house, "the thief's own household": x.Bearer, "a session that passes": x.Passing} {
		h := vault.Holder{Bearer: bearer}
		o, err := x.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{rec}})
		x.note("booking view, "+what, o, err, "")
		c, err := x.vault.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: rec})
		x.note("certificate, "+what, c, err, v.Ref)
		p, err := x.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: rec.Person, Limit: 10})
		x.note("access history, "+what, p, err, v.Ref)
		d, err := x.vault.Doses(ctx, vault.DosesRequest{Holder: h, Records: []vault.Record{rec}})
		about := ""
		if len(d.Events) > 0 { // a household of nobody has an empty list
			about = v.Ref
		}
		x.note("doses, "+what, d, err, about)
		if v.Hold != "" {
			s, err := x.vault.Slip(ctx, vault.SlipRequest{Holder: h, Hold: id.Hold(v.Hold), Records: []vault.Record{rec}})
			x.note("slip, "+what, s, err, v.Ref)
		}
	}
	own := vault.Holder{Bearer: x.Bearer}
	x.asks(ctx, v, rec, mule, house)
	m, err := x.vault.Merge(ctx, vault.MergeRequest{Holder: own, Keep: mule, Merge: rec})
	x.note("joined with the accomplice", m, err, v.Ref)
	o, err := x.vault.Open(ctx, vault.OpenRequest{Holder: own, Records: []vault.Record{{Person: mule.Person, Parts: rec.Parts}}})
	x.note("their blobs as the accomplice's", o, err, "")
}

// staff asks for somebody with what the stolen session signs: with the accomplice's code
// and card, which are right, and with requests of others that were held back.
func (x *botAttacker) staff(ctx context.Context, v victim, rec, mule vault.Record) {
	view := func(what string, r vault.StaffViewRequest) {
		got, err := x.vault.StaffView(ctx, r)
		x.note("view, "+what, got, err, "")
	}
	at := harness.StaffViewPath + "?beneficiary_reference_id="
	code := "code " + x.Mule.Code
	muleRef, ref := id.Reference(x.Mule.Ref), id.Reference(v.Ref)
	for _, h := range x.Held {
		view("a held back request with another's right code", vault.StaffViewRequest{Signed: h.Signed, Reference: id.Reference(h.Ref), Person: rec.Person, Record: rec})
		view("the same for their number", vault.StaffViewRequest{Signed: h.Signed, Reference: ref, Person: rec.Person, Record: rec})
	}
	view("the accomplice's code, their record", vault.StaffViewRequest{Signed: x.sign("GET", at+x.Mule.Ref, code), Reference: muleRef, Person: rec.Person, Record: rec})
	view("the accomplice's code, their number", vault.StaffViewRequest{Signed: x.sign("GET", at+x.Mule.Ref, code), Reference: ref, Person: rec.Person, Record: rec})
	view("the accomplice's code, their blobs", vault.StaffViewRequest{Signed: x.sign("GET", at+x.Mule.Ref, code), Reference: muleRef, Person: mule.Person, Record: vault.Record{Person: mule.Person, Parts: rec.Parts}})
	view("nothing shown", vault.StaffViewRequest{Signed: x.sign("GET", at+v.Ref, ""), Reference: ref, Person: rec.Person, Record: rec})
	cert := harness.StaffCertPath + "?beneficiary_reference_id="
	c, err := x.vault.StaffCertificate(ctx, vault.StaffViewRequest{Signed: x.sign("GET", cert+x.Card.Reference, "card "+x.Card.Text), Reference: id.Reference(x.Card.Reference), Person: rec.Person, Record: rec})
	x.note("certificate, the accomplice's card", c, err, v.Ref)
	body, _ := json.Marshal(map[string]any{"beneficiary_reference_id": x.Mule.Ref})
	_, err = x.vault.StaffCode(ctx, vault.StaffCodeRequest{Signed: x.sign("POST", harness.StaffCodePath, string(body)), Reference: muleRef, Person: rec.Person, Origin: "127.0.0.1"})
	x.note("a code for the accomplice's number", nil, err, "")
	x.signsNew(ctx, v, rec)
	for _, signed := range x.Touched {
		o, err := x.vault.RosterOpen(ctx, vault.RosterOpenRequest{Signed: signed, Record: rec})
		x.note("a row of the list, their record", o, err, "")
	}
	if len(x.Touched) > 0 { // the row is swapped, the touch is not
		var f map[string]any
		_ = json.Unmarshal(x.Touched[0].Body, &f)
		f["row_id"] = url.QueryEscape(v.Ref)
		raw, _ := json.Marshal(f)
		s := x.sign("POST", openRowPath, string(raw))
		s.Assertion = x.Touched[0].Assertion
		o, err := x.vault.RosterOpen(ctx, vault.RosterOpenRequest{Signed: s, Record: rec})
		x.note("another row under the same touch", o, err, "")
	}
}
