package keeper_test

import (
	"testing"

	"tikakosh/internal/vault"
)

func TestStaffCredentials(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	var want []vault.StaffListed
	for _, role := range []string{"manager", "vaccinator"} {
		got, err := r.k.EnrolStaff(ctx, vault.StaffEnrolRequest{Name: "Staff Test", Role: role, Centre: 7, PublicJWK: jwk(t, mustKey(t))})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, vault.StaffListed{Staff: got.Staff, Role: role, Centre: 7, Active: true, Since: r.clock().UnixMilli()})
	}
	if _, err := r.k.DisableStaff(ctx, vault.StaffDisableRequest{Staff: want[1].Staff}); err != nil {
		t.Fatal(err)
	}
	want[1].Active = false
	if want[0].Staff > want[1].Staff {
		want[0], want[1] = want[1], want[0]
	}
	list, err := r.k.StaffCredentials(ctx)
	if err != nil || len(list.Staff) != 2 || list.Staff[0] != want[0] || list.Staff[1] != want[1] {
		t.Errorf("%+v %v, want %+v", list, err, want)
	}
}
