package keeper_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

func TestRegisterOpenAndHistory(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	h := r.signIn("0000000001")
	e := r.enrol(h, "k1", asha(1))
	r.store(e.Seal, true)
	second := asha(2)
	second.Name = "Ravi Test"
	e2 := r.enrol(h, "k2", second)
	r.store(e2.Seal, false) // the report is lost: committed on sight
	m, err := r.k.Membership(ctx, h)
	if err != nil || len(m.Members) != 2 || m.Members[0].Pending || !m.Members[1].Pending {
		t.Fatalf("%+v %v", m, err)
	}
	o, err := r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(e.Seal.Person, e2.Seal.Person)})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.People) != 2 || o.People[0].Name != "Asha Test" || o.People[1].Name != "Ravi Test" || o.People[0].MobileLast4 != "0001" ||
		o.People[0].IDLast4 != "001F" || o.People[0].Reference != e.Reference || len(o.ViewRef) != 13 || len(o.Receipts) != 3 {
		t.Fatalf("%+v", o)
	}
	hist, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: e.Seal.Person})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, x := range hist.Entries {
		kinds = append(kinds, x.Kind)
		if x.Kind == "opening" && x.ViewRef != o.ViewRef {
			t.Errorf("view reference %q, want %q", x.ViewRef, o.ViewRef)
		}
	}
	if !slices.Equal(kinds, []string{"opening", "committed", "sealed"}) {
		t.Fatalf("history %v", kinds)
	}
	r.audit()
	// Another household sees nothing of it, whether it asks for the person or not.
	other := r.signIn("0000000002")
	_, err = r.k.Openings(ctx, vault.OpeningsRequest{Holder: other, Person: e.Seal.Person})
	wantKind(t, err, fault.NotFound)
	_, err = r.k.Remove(ctx, vault.RemoveRequest{Holder: other, Record: r.records(e.Seal.Person)[0]})
	wantKind(t, err, fault.NotFound)
	// It all survives a restart.
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(e.Seal.Person, e2.Seal.Person)}); err != nil {
		t.Fatal(err)
	}
}

func TestEnrolIdempotencyAndLimits(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	h := r.signIn("0000000003")
	e := r.enrol(h, "k1", asha(1))
	again := r.enrol(h, "k1", asha(1))
	if again.Seal.ID != e.Seal.ID || len(again.Seal.Parts) != 2 || again.Reference != e.Reference {
		t.Fatal("a repeated key made another seal")
	}
	r.store(e.Seal, true)
	if again = r.enrol(h, "k1", asha(1)); len(again.Seal.Parts) != 0 || again.Reference != e.Reference {
		t.Fatalf("a repeated key after the commit: %+v", again)
	}
	_, err := r.k.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k1", Identity: asha(9), Consent: consentOne})
	wantKind(t, err, fault.Conflict)
	_, err = r.k.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k9", Identity: asha(1), Consent: consentOne})
	wantKind(t, err, fault.Conflict) // the id is in this household
	other := r.signIn("0000000004")
	r.enrol(other, "k1", asha(1)) // elsewhere it is accepted and flagged inside
	for i := 2; i <= 6; i++ {
		r.store(r.enrol(h, fmt.Sprint("k", i), asha(i)).Seal, true)
	}
	_, err = r.k.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k7", Identity: asha(7), Consent: consentOne})
	wantKind(t, err, fault.Full)
	rec := r.records(e.Seal.Person)[0]
	if _, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: h, Record: rec}); err != nil {
		t.Fatal(err)
	}
	r.enrol(h, "k8", asha(1)) // place and id are free again
	r.audit()
}

func TestRegistryTampering(t *testing.T) {
	setup := func(t *testing.T) (*rig, vault.Holder, id.Person, id.Person) {
		r := newRig(t)
		h := r.signIn("0000000005")
		a, b := r.enrol(h, "a", asha(1)), r.enrol(h, "b", asha(2))
		r.store(a.Seal, true)
		r.store(b.Seal, true)
		return r, h, a.Seal.Person, b.Seal.Person
	}
	cases := map[string]struct {
		do   func(r *rig, a, b id.Person)
		want []string
	}{
		"edited body":     {func(r *rig, a, b id.Person) { p := r.regs[a]; p[0].Body = slices.Clone(p[0].Body); p[0].Body[9] ^= 1 }, []string{"edited"}},
		"swapped people":  {func(r *rig, a, b id.Person) { r.regs[a], r.regs[b] = r.regs[b], r.regs[a] }, []string{"swapped", "swapped", "swapped", "swapped"}},
		"swapped one":     {func(r *rig, a, b id.Person) { x := r.regs[b][0]; r.regs[a][0] = x }, []string{"swapped"}},
		"deleted last":    {func(r *rig, a, b id.Person) { r.regs[a] = r.regs[a][:1] }, []string{"deleted"}},
		"deleted all":     {func(r *rig, a, b id.Person) { delete(r.regs, a) }, []string{"deleted"}},
		"forged addition": {func(r *rig, a, b id.Person) { x := r.regs[a][1]; x.Seq = 3; r.regs[a] = append(r.regs[a], x) }, []string{"forged"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, h, a, b := setup(t)
			c.do(r, a, b)
			_, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(a, b)})
			wantKind(t, err, fault.Integrity)
			r.audit(c.want...)
		})
	}
}

func TestVaultRowTampering(t *testing.T) {
	sqlRun := func(t *testing.T, r *rig, q string, args ...any) {
		t.Helper()
		if err := r.db.Update(t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), q, args...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	setup := func(t *testing.T) (*rig, vault.Holder, vault.Enrolled) {
		r := newRig(t)
		h := r.signIn("0000000006")
		e := r.enrol(h, "a", asha(1))
		// An old copy of the person's row, for a rollback.
		sqlRun(t, r, "CREATE TABLE old AS SELECT * FROM person")
		r.store(e.Seal, true)
		r.signIn("0000000007")
		return r, h, e
	}
	cases := map[string]string{
		"edited row":      "UPDATE person SET content = CAST(replace(CAST(content AS TEXT), 'active', 'activ3') AS BLOB)",
		"rolled back":     "UPDATE person SET (version, content, mac) = (SELECT version, content, mac FROM old WHERE old.key = person.key)",
		"index repointed": "UPDATE mobile_index SET content = (SELECT content FROM mobile_index ORDER BY key DESC LIMIT 1), mac = (SELECT mac FROM mobile_index ORDER BY key DESC LIMIT 1)",
		"row deleted":     "DELETE FROM person",
		"row copied":      "INSERT INTO person SELECT 'copy', version, content, mac, expires, 1 FROM person LIMIT 1",
	}
	for name, q := range cases {
		t.Run(name+" found at start", func(t *testing.T) {
			r, _, _ := setup(t)
			sqlRun(t, r, q)
			r.close()
			wantKind(t, r.open(), fault.Integrity)
		})
		if name == "row copied" || name == "index repointed" {
			continue
		}
		t.Run(name+" found while running", func(t *testing.T) {
			r, h, e := setup(t)
			sqlRun(t, r, q)
			_, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(e.Seal.Person)})
			wantKind(t, err, fault.Integrity)
		})
	}
	t.Run("untouched opens", func(t *testing.T) {
		r, _, _ := setup(t)
		r.close()
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
	})
}

func ask(t *testing.T, r *rig, mobile string) string {
	t.Helper()
	r.forget()
	i, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	return i.Txn
}

func answer(r *rig, txn, code string) error {
	_, err := r.k.ConfirmCode(r.t.Context(), vault.CodeAnswer{Txn: txn, Digest: sha(code)})
	return err
}

func TestCodeAnswers(t *testing.T) {
	t.Run("three tries", func(t *testing.T) {
		r := newRig(t)
		txn := ask(t, r, "0000000010")
		code := r.code("0000000010")
		for range 3 {
			wantKind(t, answer(r, txn, "nope"), fault.Invalid)
		}
		wantKind(t, answer(r, txn, code), fault.Invalid)
	})
	t.Run("single use", func(t *testing.T) {
		r := newRig(t)
		txn := ask(t, r, "0000000010")
		code := r.code("0000000010")
		if err := answer(r, txn, code); err != nil {
			t.Fatal(err)
		}
		wantKind(t, answer(r, txn, code), fault.Invalid)
	})
	t.Run("three minutes", func(t *testing.T) {
		r := newRig(t)
		txn := ask(t, r, "0000000010")
		code := r.code("0000000010")
		r.advance(3 * time.Minute)
		wantKind(t, answer(r, txn, code), fault.Invalid)
	})
	t.Run("bound to its transaction", func(t *testing.T) {
		r := newRig(t)
		ask(t, r, "0000000010")
		code := r.code("0000000010")
		other := ask(t, r, "0000000011")
		wantKind(t, answer(r, other, code), fault.Invalid)
		wantKind(t, answer(r, id.New(), code), fault.Unauthorized)
	})
}

func TestCodeLimits(t *testing.T) {
	ctx := t.Context()
	t.Run("five per number and origin", func(t *testing.T) {
		r := newRig(t)
		for range 5 {
			ask(t, r, "0000000010")
		}
		_, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000010", Origin: "192.0.2.0/24"})
		wantKind(t, err, fault.RateLimited)
		if _, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000010", Origin: "198.51.100.0/24"}); err != nil {
			t.Fatal("another origin is blocked too", err)
		}
		r.advance(24*time.Hour + time.Second)
		ask(t, r, "0000000010")
	})
	t.Run("confirmed codes are not counted", func(t *testing.T) {
		r := newRig(t)
		for range 8 {
			r.signIn("0000000010")
		}
	})
	t.Run("parallel answers", func(t *testing.T) {
		r := newRig(t)
		txn := ask(t, r, "0000000010")
		code := r.code("0000000010")
		var wg sync.WaitGroup
		var ok sync.Map
		for i := range 100 {
			wg.Go(func() {
				if answer(r, txn, code) == nil {
					ok.Store(i, true)
				}
			})
		}
		wg.Wait()
		n := 0
		ok.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Fatalf("%d of 100 parallel answers succeeded", n)
		}
	})
	t.Run("proof of work after many wrong answers", func(t *testing.T) {
		r := newRig(t)
		r.close()
		lim := keeper.DefaultLimits()
		lim.FailedGuesses = 4
		r.cfg.Limits = lim
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			txn := ask(t, r, fmt.Sprintf("00000001%02d", i))
			wantKind(t, answer(r, txn, "nope"), fault.Invalid)
		}
		i, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000199", Origin: "192.0.2.0/24"})
		if err != nil || i.Txn != "" || i.Challenge == "" {
			t.Fatalf("%+v %v", i, err)
		}
	})
}

func TestBearerEnds(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	h := r.signIn("0000000020")
	if _, err := r.k.EndSession(ctx, h); err != nil {
		t.Fatal(err)
	}
	_, err := r.k.Membership(ctx, h)
	wantKind(t, err, fault.Unauthorized)
	h = r.signIn("0000000020")
	r.advance(15 * time.Minute)
	_, err = r.k.Membership(ctx, h)
	wantKind(t, err, fault.Unauthorized)
}

func TestKeyFilesMustBePrivate(t *testing.T) {
	dir := t.TempDir() + "/keys"
	if _, err := custody.OpenFile(dir, true); err != nil {
		t.Fatal(err)
	}
	for _, loosen := range []struct {
		path string
		mode uint32
	}{{dir + "/root-1.key", 0o640}, {dir + "/idtag-1.key", 0o604}, {dir, 0o750}} {
		chmod(t, loosen.path, loosen.mode)
		_, err := custody.OpenFile(dir, false)
		wantKind(t, err, fault.Forbidden)
		if loosen.path == dir {
			chmod(t, dir, 0o700)
		} else {
			chmod(t, loosen.path, 0o600)
		}
	}
}
