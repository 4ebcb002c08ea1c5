package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestAlerts: a household is told only while it asked for it, three times a day,
// by a fixed text; three wishes, sixty days.
func TestAlerts(t *testing.T) {
	r := newRig(t)
	h, _ := r.family("0000000201", 1)
	m, err := r.k.Membership(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	now := r.clock()
	until := now.AddDate(0, 0, 30).UnixMilli()
	var ids []string
	wish := func(wid string, until int64, known []string) error {
		_, err := r.k.Wish(t.Context(), vault.WishRequest{Holder: h, ID: wid, Until: until, Known: known})
		return err
	}
	for range 3 {
		wid := id.New()
		if err := wish(wid, until, ids); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, wid)
	}
	if err := wish(id.New(), until, ids); !fault.Is(err, fault.Conflict) {
		t.Errorf("a fourth wish: %v", err)
	}
	if err := wish(ids[0], until, ids); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for _, bad := range []int64{now.UnixMilli() - 1, now.AddDate(0, 0, 61).UnixMilli()} {
		if err := wish(id.New(), bad, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("until %d: %v", bad, err)
		}
	}
	tell := func(house id.Household, wid string) vault.Told {
		got, err := r.k.Tell(t.Context(), vault.TellRequest{Household: house, ID: wid, Centre: testCentre, Day: r.today().AddDays(3)})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := tell(m.Household, id.New()); !got.Gone || got.Told {
		t.Errorf("without a wish: %+v", got)
	}
	if got := tell(id.Household(id.New()), ids[0]); !got.Gone {
		t.Errorf("another household: %+v", got)
	}
	told := 0
	for range 5 {
		if tell(m.Household, ids[0]).Told {
			told++
		}
		r.advance(time.Second)
	}
	got := r.messages("places", 3)
	if told != 3 || len(got) != 3 || got[0].Mobile != "0000000201" || len(got[0].Params) != 2 || got[0].Params["date"] != r.today().AddDays(3).Indian() {
		t.Errorf("%d told: %+v", told, got)
	}
	if _, err := r.k.Unwish(t.Context(), vault.UnwishRequest{Holder: h, ID: ids[0]}); err != nil {
		t.Fatal(err)
	}
	r.advance(25 * time.Hour)
	if got := tell(m.Household, ids[0]); !got.Gone {
		t.Errorf("after it was taken back: %+v", got)
	}
	if !tell(m.Household, ids[1]).Told {
		t.Error("nothing the next day")
	}
	r.advance(31 * 24 * time.Hour)
	if !tell(m.Household, ids[1]).Gone {
		t.Error("a wish outlives its day")
	}
	r.audit()
}
