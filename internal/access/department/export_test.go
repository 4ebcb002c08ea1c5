package department_test

import (
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/access/department"
)

func TestReadExport(t *testing.T) {
	got, err := department.ReadExport(strings.NewReader("\ufeffname,sub,active\nA,one,true\n\"B, C\",two,false\nD,two,false\n"), 1000)
	if err != nil || !slices.Equal(got.Stay, []string{"one"}) || !slices.Equal(got.Left, []string{"two"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "sub\na\n", "sub,active\na\n", "sub,active\na,yes\n", "sub,active\n,true\n", "sub,active\na,true\na,false\n", "sub,active\n\"a,true\n"} {
		if got, err := department.ReadExport(strings.NewReader(bad), 1000); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

// FuzzExport: an export is refused, or each account in it is named once.
func FuzzExport(f *testing.F) {
	f.Add("sub,active\na,true\nb,false\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := department.ReadExport(strings.NewReader(text), 1000)
		if err != nil {
			return
		}
		all := append(slices.Clone(got.Stay), got.Left...)
		slices.Sort(all)
		if len(slices.Compact(slices.Clone(all))) != len(all) || slices.Contains(all, "") || len(all) > 1000 {
			t.Fatalf("%q: %+v", text, got)
		}
	})
}
