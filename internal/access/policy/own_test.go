package policy

import (
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

// TestDeep: a text that nests without end is refused, and does not end the process.
func TestDeep(t *testing.T) {
	for name, deep := range map[string]string{
		"brackets": strings.Repeat("(", 90_000) + "true" + strings.Repeat(")", 90_000), "not": strings.Repeat("!", 150_000) + "true", "minus": strings.Repeat("-", 150_000) + "1 == 1",
		"sets": strings.Repeat("[", 90_000) + strings.Repeat("]", 90_000) + " == 1", "if": strings.Repeat("if true then true else ", 8000) + "true",
		"records": strings.Repeat("{a:", 40_000) + "1" + strings.Repeat("}", 40_000) + " == 1", "and": strings.Repeat("true && ", 20_000) + "true", "has": "context" + strings.Repeat(".here", 30_000),
		"as deep as may be": strings.Repeat("{a:", 10) + "1" + strings.Repeat("}", 10) + " == 1", "brackets within": strings.Repeat("(", 10) + "1" + strings.Repeat(")", 10) + " == true",
		"as long as may be": strings.Repeat("true && ", 480) + "1", "nots": strings.Repeat("!", 3800) + "1", "minuses": strings.Repeat("-", 3800) + "true == 1", "members": "context" + strings.Repeat(".here", 750),
		"many records": strings.Repeat("{a:{b:{c:1}}} == {a:{b:{c:1}}} && ", 110) + "1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromFiles(map[string]string{"a.cedar": "@id(\"x\")\npermit (principal, action, resource) when { " + deep + " };"}, nil)
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%.200v", err)
			}
		})
	}
}

// TestOwnFiles: names that are no file's, policies that could never be changed again, and
// none at all.
func TestOwnFiles(t *testing.T) {
	e, err := FromFiles(nil, nil)
	standard, err2 := Default(nil)
	if err != nil || err2 != nil || e.Digest() != standard.Digest() {
		t.Fatal(err, err2)
	}
	program, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(map[string]string)) map[string]string {
		out := map[string]string{}
		for name, text := range program {
			out[name] = string(text)
		}
		change(out)
		return out
	}
	if same, err := FromFiles(with(func(map[string]string) {}), nil); err != nil || same.Digest() == "" || same.Matrix() != e.Matrix() {
		t.Fatalf("the program's own files: %v", err)
	}
	for name, c := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"a path":      {func(m map[string]string) { m["../x.cedar"] = "" }, "NAME.cedar"},
		"no ending":   {func(m map[string]string) { m["x"] = "" }, "NAME.cedar"},
		"never again": {func(m map[string]string) { delete(m, "installation.cedar") }, "nobody could propose"},
		"never in force": {func(m map[string]string) {
			m["x.cedar"] = "@id(\"never\")\nforbid (principal, action == Action::\"change.enforce\", resource);"
		}, "ever come into force"},
		"a rail":   {func(m map[string]string) { m["x.cedar"] = "@id(\"rail-place\")\nforbid (principal, action, resource);" }, "guard rails"},
		"too long": {func(m map[string]string) { m["x.cedar"] = strings.Repeat("// x\n", 60_000) }, "too long"},
		"a typing error": {func(m map[string]string) {
			m["x.cedar"] = "\n\n@id(\"x\")\npermit (principal, action == Action::\"x\", resource);"
		}, "x.cedar:3"},
		"no policy, text": {func(m map[string]string) { m["x.cedar"] = "hello" }, "x.cedar"},
	} {
		if _, err := FromFiles(with(c.change), nil); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFiles: whatever a file says, it is refused as such or makes an engine.
func FuzzFiles(f *testing.F) {
	program, err := Files()
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range program {
		f.Add(string(text))
	}
	f.Add("@id(\"x\")\nforbid (principal is Staff, action == Action::\"staff.list\", resource) unless { context.open };")
	f.Add("permit (principal, action, resource) when { [[[1]]] == {a: -1} };")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := FromFiles(map[string]string{"a.cedar": text}, nil); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	})
}
