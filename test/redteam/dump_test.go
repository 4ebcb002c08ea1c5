package redteam

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// planted are people whose data must not be found anywhere it has no business.
type planted struct {
	words map[string]string // what it is → the word
	c     *harness.Client
	refs  []string
}

// plant takes people with unmistakable data through everything a citizen does,
// well and badly formed.
func plant(t *testing.T, s *harness.Server) planted {
	t.Helper()
	c, mobile := s.Holder()
	p := planted{words: map[string]string{"mobile": mobile, "bearer": c.Bearer}, c: c}
	for i, name := range []string{"Quixolmar Zephyrine", "Brondelvik Ashtamora", "झंकारेश्वरी विद्युल्लता"} {
		form := harness.Person{Name: name, ID: s.PAN()}
		ref, a := c.TryEnrol(form)
		if ref == "" {
			t.Fatalf("registration: %s", a.Text())
		}
		p.refs = append(p.refs, ref)
		p.words[fmt.Sprint("name ", i)], p.words[fmt.Sprint("id number ", i)] = name, form.ID
		for j, part := range strings.Fields(name) {
			if len(part) >= 8 {
				p.words[fmt.Sprintf("name %d part %d", i, j)] = part
			}
		}
		// The same data where it does not fit, to draw it into errors and logs.
		bad := form.Form()
		bad["birth_year"], bad["gender_id"] = name, form.ID
		c.Must("POST", "/v2/registration/beneficiary/new", bad)
		c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": name + form.ID})
		c.Must("GET", "/v2/vaccinator/beneficiaries/findByMobile?mobile_number="+mobile, nil)
		c.Must("POST", "/v2/registration/beneficiary/new", []byte(`{"name":"`+name+`",`))
	}
	d := s.Later()[0]
	appointment, a := c.Book(d, 1, p.refs[0])
	if appointment == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	c.Slip(appointment)
	c.Beneficiaries()
	c.Openings()
	c.Cancel(appointment, p.refs[0])
	other, otherMobile := s.Holder()
	p.words["second mobile"] = otherMobile
	form := harness.Person{Name: "Vrondelisk Ampharoth", ID: s.PAN()}
	ref, _ := other.TryEnrol(form)
	p.words["vaccinated name"], p.words["vaccinated id number"] = form.Name, form.ID
	s.Vaccinate(other, otherMobile, ref)
	if a := other.Certificate(ref); !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	return p
}

func (p planted) needles(t *testing.T) *harness.Needles {
	t.Helper()
	n := harness.NewNeedles()
	for what, word := range p.words {
		if err := n.AddForms(what, word); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// idle is how long a role has been left alone before its memory is searched.
const idle = 15 * time.Second

func TestR49Dump(t *testing.T) {
	t.Parallel()
	run(t, "R49", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		p := plant(t, s)
		n := p.needles(t)
		time.Sleep(500 * time.Millisecond) // the worker's relay writes too
		hits, err := n.FindInFiles(s.Files("registry"))
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) > 0 {
			return true, fmt.Sprintf("%d hits in the registry database, the first: %s", len(hits), what(hits[0]))
		}
		hits = append(hits, within("log", n.Find([]byte(s.Log())))...)
		roles := []string{harness.RoleWeb, harness.RoleWorker}
		for _, role := range append(roles, harness.RoleCourier) {
			env, err := harness.Environ(s.Role(role))
			if err != nil {
				t.Fatal(err)
			}
			hits = append(hits, within("environment of "+role, n.Find(env))...)
			for _, secret := range []string{"KEY", "SECRET", "TOKEN", "PASSW"} {
				if bytes.Contains(bytes.ToUpper(env), []byte(secret)) {
					hits = append(hits, "environment of "+role+": "+secret)
				}
			}
		}
		time.Sleep(idle)
		var size int64
		for _, role := range roles {
			got, read, err := n.FindInMemory(s.Role(role))
			if err != nil || read == 0 {
				t.Fatalf("memory of %s: %d bytes, %v (this test needs root or ptrace rights over its own children)", role, read, err)
			}
			size += read
			hits = append(hits, within("memory of "+role, got)...)
		}
		if len(hits) > 0 {
			return true, fmt.Sprintf("%d hits: %s", len(hits), strings.Join(hits, "; "))
		}
		return false, fmt.Sprintf("%d forms of %d words: none in database, log, environment and, after %v, %d MB of memory", n.Count, len(p.words), idle, size>>20)
	}})
}

// what keeps the name of a hit and drops the path of the file.
func what(hit string) string { return hit[strings.LastIndexByte(hit, '/')+1:] }

func within(place string, hits []string) []string {
	var out []string
	for _, h := range hits {
		out = append(out, place+": "+h)
	}
	return out
}

// TestR50NumberSearch hashes every synthetic number with the common hashes,
// plain and with everything in the dump as salt or key.
func TestR50NumberSearch(t *testing.T) {
	t.Parallel()
	run(t, "R50", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		var numbers []string
		for range 3 {
			c, mobile := s.Holder()
			c.Enrol("Asha Test")
			numbers = append(numbers, mobile)
		}
		target := numbers[0]
		for range 5000 {
			numbers = append(numbers, s.Mobile())
		}
		s.Stop() // what is in the journals goes into the files
		dump := s.Blobs(harness.RegistryDB)
		for where, values := range s.Blobs(harness.VaultDB) {
			dump[where] = values
		}
		unsalted := harness.NewNeedles()
		for _, number := range numbers {
			if err := addDigests(unsalted, number); err != nil {
				t.Fatal(err)
			}
		}
		for where, values := range dump {
			for _, v := range values {
				if hits := unsalted.Find(v); len(hits) > 0 {
					return true, fmt.Sprintf("%s holds %s of a number", where, hits[0])
				}
			}
		}
		tried, where := saltedSearch(dump, target)
		if where != "" {
			return true, "salted or keyed hash of a number in " + where
		}
		return false, fmt.Sprintf("%d numbers in 6 hashes, and %d salted and keyed hashes of one number with every value of both dumps: no match", len(numbers), tried)
	}})
}

// addDigests looks for the first 16 bytes of each hash, because an index may be
// cut short, raw, in hex and in base64.
func addDigests(n *harness.Needles, number string) error {
	for _, form := range []string{number, "+91" + number, "91" + number, "0" + number} {
		for kind, sum := range harness.Digests([]byte(form)) {
			cut := sum[:16]
			for enc, p := range map[string][]byte{"": cut, " hex": []byte(hex.EncodeToString(cut)), " HEX": []byte(strings.ToUpper(hex.EncodeToString(cut))),
				" base64": []byte(base64.StdEncoding.EncodeToString(cut)[:21])} {
				if err := n.Add(kind+enc, p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// saltedSearch tries every value of the dump as salt before, salt behind and
// HMAC key, and looks whether the result begins any value (raw, hex, base64).
func saltedSearch(dump map[string][][]byte, number string) (tried int, where string) {
	begins := map[[16]byte]string{}
	var salts [][]byte
	add := func(place string, v []byte) {
		if len(v) >= 16 {
			begins[[16]byte(v)] = place
		}
	}
	for place, values := range dump {
		for _, v := range values {
			add(place, v)
			if raw, err := hex.DecodeString(string(v)); err == nil {
				add(place, raw)
				salts = append(salts, raw)
			}
			if raw, err := base64.StdEncoding.DecodeString(string(v)); err == nil {
				add(place, raw)
			}
			if len(v) > 0 && len(v) <= 256 {
				salts = append(salts, v)
			}
		}
	}
	slices.SortFunc(salts, bytes.Compare)
	salts = slices.CompactFunc(salts, bytes.Equal)
	msg := []byte(number)
	for _, salt := range salts {
		for _, h := range []func() hash.Hash{md5.New, sha1.New, sha256.New, sha512.New} {
			key := hmac.New(h, salt)
			key.Write(msg)
			plain := func(parts ...[]byte) []byte {
				x := h()
				for _, p := range parts {
					x.Write(p)
				}
				return x.Sum(nil)
			}
			for _, sum := range [][]byte{key.Sum(nil), plain(salt, msg), plain(msg, salt)} {
				tried++
				if place := begins[[16]byte(sum)]; place != "" {
					return tried, place
				}
			}
		}
	}
	return tried, ""
}

// TestR50SearchFinds proves that the search finds what it says it looks for.
func TestR50SearchFinds(t *testing.T) {
	number, salt := "5123456789", []byte("some salt in the dump")
	key := hmac.New(sha256.New, salt)
	key.Write([]byte(number))
	index := []byte(hex.EncodeToString(key.Sum(nil)[:16]))
	if _, where := saltedSearch(map[string][][]byte{"table.index": {index}, "table.salt": {salt}}, number); where != "table.index" {
		t.Errorf("a keyed index with its key in the dump was not found: %q", where)
	}
	if _, where := saltedSearch(map[string][][]byte{"table.index": {index}}, number); where != "" {
		t.Errorf("found without its key in %q", where)
	}
	n := harness.NewNeedles()
	if err := addDigests(n, number); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("+91" + number))
	if hits := n.Find([]byte("x" + hex.EncodeToString(sum[:]))); len(hits) == 0 {
		t.Error("a plain SHA-256 of the number was not found")
	}
}

// TestR49KeyFiles: what could open the databases lies in files that only the
// vault's user can read, and not in the databases.
func TestR49KeyFiles(t *testing.T) {
	t.Parallel()
	s := shared.plain().For(t)
	keys := s.Files("vault/keys")
	if len(keys) == 0 {
		t.Fatal("no key files")
	}
	n := harness.NewNeedles()
	for _, f := range keys {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("key file %s has mode %v", filepath.Base(f), info.Mode())
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(string(raw))
		if err := n.AddForms(filepath.Base(f), text); err != nil {
			t.Fatal(err)
		}
		if bin, err := hex.DecodeString(text); err == nil {
			if err := n.Add(filepath.Base(f)+" raw", bin); err != nil {
				t.Fatal(err)
			}
		}
	}
	var others []string
	for _, f := range s.Files("registry", "ledger", "vault", "staff") {
		if !strings.Contains(f, "/keys/") && !strings.HasSuffix(f, ".sock") {
			others = append(others, f)
		}
	}
	hits, err := n.FindInFiles(others)
	if err != nil {
		t.Fatal(err)
	}
	hits = append(hits, within("log", n.Find([]byte(s.Log())))...)
	if len(hits) > 0 {
		t.Errorf("key material outside the key files: %q", hits)
	}
}
