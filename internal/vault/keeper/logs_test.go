package keeper_test

import (
	"crypto/sha256"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestLogSeals: statements about log files follow each other on the ledger, so
// that one that is missing or changed is noticed, and an export names the newest.
func TestLogSeals(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	keys, err := r.k.Keys(ctx, vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	const log, other = "0123456789abcdef", "fedcba9876543210"
	digest := func(s string) []byte { d := sha256.Sum256([]byte(s)); return d[:] }
	seal := func(n int64, previous, d []byte) (vault.LogSealed, error) {
		return r.k.SealLogs(ctx, vault.LogSeal{Log: log, Number: n, Previous: previous, Digest: d})
	}
	one, err := seal(1, nil, digest("1"))
	if err != nil || one.Receipt == "" || one.Verify(keys.ReceiptKey) != nil {
		t.Fatalf("%+v %v", one, err)
	}
	if again, err := seal(1, nil, digest("1")); err != nil || again.Receipt != "" {
		t.Errorf("the same again: %+v %v", again, err)
	}
	for name, bad := range map[string]vault.LogSeal{
		"another first": {Log: log, Number: 1, Digest: digest("x")}, "a gap": {Log: log, Number: 3, Previous: digest("1"), Digest: digest("3")},
		"another previous": {Log: log, Number: 2, Previous: digest("x"), Digest: digest("2")}} {
		if _, err := r.k.SealLogs(ctx, bad); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []vault.LogSeal{{Log: log, Number: 2, Digest: []byte("short")}, {Log: log, Digest: digest("0")}, {Log: "x", Number: 2, Digest: digest("2")}} {
		if _, err := r.k.SealLogs(ctx, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := seal(2, digest("1"), digest("2")); err != nil {
		t.Fatal(err)
	}
	got, err := r.k.SignLogExport(ctx, vault.LogExport{Log: log, Digest: digest("manifest")})
	if err != nil || got.Number != 2 || string(got.Newest) != string(digest("2")) || got.Verify(keys.ReceiptKey) != nil {
		t.Fatalf("%+v %v", got, err)
	}
	if newest, err := r.k.NewestLogSeal(ctx, vault.LogExport{Log: log}); err != nil || newest.Others != 0 || newest.Number != 2 || string(newest.Digest) != string(digest("2")) {
		t.Errorf("%+v %v", newest, err)
	}
	for name, change := range map[string]func(*vault.LogSealed){"number": func(s *vault.LogSealed) { s.Number-- }, "newest": func(s *vault.LogSealed) { s.Newest = digest("1") },
		"kind": func(s *vault.LogSealed) { s.Export = false }, "log": func(s *vault.LogSealed) { s.Log = other }, "time": func(s *vault.LogSealed) { s.At++ }} {
		forged := got
		change(&forged)
		if forged.Verify(keys.ReceiptKey) == nil {
			t.Errorf("a changed %s verifies", name)
		}
	}
	if _, err := r.k.SignLogExport(ctx, vault.LogExport{Log: log}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	// Another machine has statements of its own, and its log is no secret.
	begun, err := r.k.SealLogs(ctx, vault.LogSeal{Log: other, Number: 1, Digest: digest("o1")})
	if err != nil || begun.Others != 1 {
		t.Errorf("another log: %+v %v", begun, err)
	}
	if newest, err := r.k.NewestLogSeal(ctx, vault.LogExport{Log: log}); err != nil || newest.Number != 2 || newest.Others != 1 {
		t.Errorf("%+v %v", newest, err)
	}
}
