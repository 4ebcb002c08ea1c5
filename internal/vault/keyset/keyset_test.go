package keyset

import (
	"errors"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

func states(s state.KeySet) (out string) {
	for _, v := range s.Versions {
		out += v.State + " "
	}
	return out
}

func want(t *testing.T, s state.KeySet, text string) {
	t.Helper()
	if got := states(s); got != text {
		t.Errorf("%q, want %q", got, text)
	}
}

func TestSecret(t *testing.T) {
	s := Birth("epoch", 5)
	want(t, s, "current ")
	if err := Add(&s, state.KeyVersion{}, 10, false, false); err != nil {
		t.Fatal(err)
	}
	want(t, s, "old current ")
	if c := Current(s); c.Version != 2 || c.Since != 10 || c.Created != 10 {
		t.Errorf("%+v", c)
	}
	if err := Add(&s, state.KeyVersion{}, 11, false, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second change: %v", err)
	}
	side := Birth("id-tag", 5)
	if err := errors.Join(Add(&side, state.KeyVersion{}, 10, false, true), Add(&side, state.KeyVersion{}, 11, false, true)); err != nil {
		t.Error(err)
	}
	want(t, side, "old old current ")
	Destroy(&s, s.Versions, 20) // the current one stays whatever is asked
	want(t, s, "destroyed current ")
	if err := Add(&s, state.KeyVersion{}, 30, false, false); err != nil || Current(s).Version != 3 {
		t.Errorf("%v %s", err, states(s))
	}
	if Secret(s.Versions[0]) || !Secret(s.Versions[1]) || !Secret(s.Versions[2]) {
		t.Error("which secrets exist")
	}
}

func TestSigning(t *testing.T) {
	s := Birth("bearer", 5)
	if err := Switch(&s, 6, 0); !fault.Is(err, fault.Conflict) {
		t.Errorf("nothing to switch to: %v", err)
	}
	if err := Add(&s, state.KeyVersion{Public: []byte("b")}, 10, true, false); err != nil {
		t.Fatal(err)
	}
	want(t, s, "current next ")
	if err := Add(&s, state.KeyVersion{}, 10, true, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second change: %v", err)
	}
	if err := Switch(&s, 20, 99); err != nil {
		t.Fatal(err)
	}
	want(t, s, "verifies current ")
	if v := s.Versions[0]; v.Until != 99 || v.Since != 20 || Secret(v) {
		t.Errorf("%+v", v)
	}
	if got := In(s, state.KeyVerifies); len(got) != 1 || got[0].Version != 1 {
		t.Errorf("%+v", got)
	}
	if err := Add(&s, state.KeyVersion{}, 30, true, false); err != nil { // before the first has ended
		t.Fatal(err)
	}
	Destroy(&s, In(s, state.KeyVerifies), 40)
	want(t, s, "destroyed current next ")
}
