package proposals

import (
	"encoding/json"
	"testing"

	"tikakosh/internal/fault"
)

// TestRead: an approval is of one text, whatever differs.
func TestRead(t *testing.T) {
	one := Says{Kind: "invitation", By: "m", Member: "a", Name: "Nita Test", Grant: "manager@centre/1/2/3"}
	texts := map[string]bool{}
	for _, s := range []Says{one,
		{Kind: "grant", By: one.By, Member: one.Member, Name: one.Name, Grant: one.Grant},
		{Kind: one.Kind, By: "n", Member: one.Member, Name: one.Name, Grant: one.Grant},
		{Kind: one.Kind, By: one.By, Member: "b", Name: one.Name, Grant: one.Grant},
		{Kind: one.Kind, By: one.By, Member: one.Member, Name: "Nita Tést", Grant: one.Grant},
		{Kind: one.Kind, By: one.By, Member: one.Member, Name: one.Name, Grant: "national@national"},
		{Kind: "device", By: one.By, Member: one.Member, Name: one.Name, Device: "d"},
		{Kind: "roster-mode", By: one.By, Centre: 7, On: true},
		{Kind: "roster-mode", By: one.By, Centre: 8, On: true},
		{Kind: "budgets", By: one.By, Budgets: map[string]int{"base": 29}, BudgetsNow: map[string]int{"base": 30}},
		{Kind: "budgets", By: one.By, Budgets: map[string]int{"base": 30}, BudgetsNow: map[string]int{"base": 29}},
		{Kind: "policies", By: one.By, Files: map[string]string{"a": "x", "b": "y"}, FilesNow: map[string]string{"a": "x"}},
		{Kind: "policies", By: one.By, Files: map[string]string{"a": "y", "b": "x"}, FilesNow: map[string]string{"a": "x"}},
		{Kind: "department", By: one.By, Department: json.RawMessage(`{"id":"health"}`)},
	} {
		text, err := s.Text()
		if err != nil || texts[text] {
			t.Fatalf("%s: %v, or the same as another", text, err)
		}
		texts[text] = true
		for other := range texts {
			err := Read(other, Digest(text))
			if (other == text) != (err == nil) || (err != nil && (!fault.Is(err, fault.Forbidden) || fault.CodeOf(err) != "another")) {
				t.Errorf("an approval of %s for %s: %v", text, other, err)
			}
		}
		if Read(text, "") == nil || Read(text, text) == nil {
			t.Error("an approval of nothing is taken")
		}
	}
	if _, err := (Says{Department: json.RawMessage(`{`)}).Text(); !fault.Is(err, fault.Internal) {
		t.Errorf("half a configuration: %v", err)
	}
}
