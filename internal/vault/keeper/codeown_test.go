package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// TestOwnDeviceGetsACode: strangers use up a number's codes of the day; a firm device of the
// household's gets one all the same, as often as the number's limit again. No other key does,
// and the answers do not tell whether the number is registered.
func TestOwnDeviceGetsACode(t *testing.T) {
	r := newRig(t)
	const mobile, other, nobody = "0000000451", "0000000452", "0000000453"
	own, fresh, elsewhere := device(t), device(t), device(t)
	for i, one := range []struct {
		number string
		key    *harness.StaffKey
	}{{mobile, own}, {other, elsewhere}} {
		e := r.enrol(r.on(one.key, one.number), one.number, asha(80+i))
		r.store(e.Seal, true)
	}
	r.on(fresh, mobile) // it waits, and is not firm
	ask := func(k *harness.StaffKey, number, origin string) error {
		_, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: number, Origin: origin, Device: r.signedBy(k, askURL)})
		return err
	}
	r.forget()
	for _, number := range []string{mobile, nobody} {
		for i := range 20 {
			if err := ask(nil, number, string(rune('a'+i/5))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, k := range map[string]*harness.StaffKey{"no key": nil, "a stranger's": device(t), "another household's": elsewhere, "one that is new there": fresh} {
		known, unknown := ask(k, mobile, "z"), ask(k, nobody, "z")
		if !fault.Is(known, fault.RateLimited) || unknown == nil || known.Error() != unknown.Error() {
			t.Errorf("%s: %v, and of a number that nobody has: %v", name, known, unknown)
		}
	}
	for i := range 20 {
		if err := ask(own, mobile, "z"); err != nil {
			t.Fatalf("the household's own device, %d: %v", i, err)
		}
	}
	if err := ask(own, mobile, "z"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("without end: %v", err)
	}
	if err := ask(own, nobody, "z"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("its key for another number: %v", err)
	}
	r.advance(24*time.Hour + time.Second)
	if err := ask(nil, mobile, "z"); err != nil {
		t.Errorf("a day later: %v", err)
	}
}
