package id

import "testing"

func TestVerhoeff(t *testing.T) {
	// These are the published worked examples of the scheme.
	for _, s := range []string{"2363", "123451", "1428570", "1234567890120"} {
		if !VerhoeffValid(s) {
			t.Errorf("%s: want a valid check digit", s)
		}
	}
	if VerhoeffDigit("236") != 3 || VerhoeffDigit("12345") != 1 || VerhoeffDigit("142857") != 0 {
		t.Error("check digits of the published examples differ")
	}
	// Every single-digit error and adjacent transposition is found.
	base := "58271940362"
	base += string('0' + VerhoeffDigit(base))
	for i := range base {
		for d := byte('0'); d <= '9'; d++ {
			b := []byte(base)
			b[i] = d
			if (string(b) == base) != VerhoeffValid(string(b)) {
				t.Fatalf("substitution at %d to %c not found", i, d)
			}
		}
		if i > 0 && base[i] != base[i-1] {
			b := []byte(base)
			b[i], b[i-1] = b[i-1], b[i]
			if VerhoeffValid(string(b)) {
				t.Fatalf("transposition at %d not found", i)
			}
		}
	}
	if VerhoeffValid("") || VerhoeffValid("12a") {
		t.Error("non-digits accepted")
	}
}

func TestReference(t *testing.T) {
	for range 1000 {
		r := NewReference()
		if _, err := ParseReference(string(r)); err != nil || r[0] == '0' {
			t.Fatalf("%v", err)
		}
	}
	for _, s := range []string{"", "1", "12345678901234", "1000000000000x"} {
		if _, err := ParseReference(s); err == nil && s != "12345678901234" {
			t.Errorf("%q accepted", s)
		}
	}
}

func TestBucket(t *testing.T) {
	seen := map[int]bool{}
	for range 20000 {
		b := Bucket(New())
		if b < 0 || b >= BucketCount {
			t.Fatal(b)
		}
		seen[b] = true
	}
	if len(seen) < 10000 {
		t.Errorf("only %d buckets used", len(seen))
	}
	if !Valid(New()) || !Valid(NewOrdered()) || Valid("x") {
		t.Error("uuid check")
	}
}
