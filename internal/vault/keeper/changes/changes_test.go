package changes

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// FuzzProposal: whatever a body holds, it is refused, or it is a change of one kind with
// the fields of that kind and no others.
func FuzzProposal(f *testing.F) {
	f.Add(`{"nonce":"n","kind":"roster-mode","center_id":7,"on":true}`)
	f.Add(`{"nonce":"n","kind":"budgets","budgets":{"base":29}}`)
	f.Add(`{"nonce":"n","kind":"policies","files":{"a.cedar":"permit(principal,action,resource);"}}`)
	f.Add(`{"kind":"budgets","center_id":7,"budgets":{}}`)
	f.Add(`{"kind":"roster-mode","on":null,"center_id":1}{}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := parse([]byte(body))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		switch p.Kind {
		case vault.ChangeRosterMode:
			if p.Centre < 1 || p.On == nil || p.Budgets != nil || p.Files != nil {
				t.Fatalf("%q: %+v", body, p)
			}
		case vault.ChangeBudgets:
			if p.Centre != 0 || p.On != nil || len(p.Budgets) == 0 || p.Files != nil {
				t.Fatalf("%q: %+v", body, p)
			}
		case vault.ChangePolicies:
			if p.Centre != 0 || p.On != nil || p.Budgets != nil || p.Files == nil {
				t.Fatalf("%q: %+v", body, p)
			}
		default:
			t.Fatalf("%q: %+v", body, p)
		}
	})
}
