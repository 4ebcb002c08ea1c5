package policy

import (
	"io/fs"
	"slices"
	"strings"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
)

// ReadDir reads the policies of a folder: file names and texts of every *.cedar file at its
// top. It does not check what they say; FromFiles does. fault.Invalid: there is none, too
// many, or one is too large.
func ReadDir(dir fs.FS) (map[string]string, error) {
	names, err := fs.Glob(dir, "*.cedar")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "policies")
	}
	if len(names) == 0 || len(names) > maxFiles {
		return nil, wrong("the policies' folder holds no file *.cedar, or more than 50")
	}
	out := map[string]string{}
	for _, name := range names {
		info, err := fs.Stat(dir, name)
		if err != nil {
			return nil, wrong("%s: %v", name, err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return nil, wrong("%s: no file, or too large", name)
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, wrong("%s: %v", name, err)
		}
		out[name] = string(text)
	}
	return out, nil
}

// FromFiles makes the engine of the guard rails and files, by their names, which take the
// place of the other policies that come with the program; none at all: of those. It returns
// a fault.Invalid that names file and line of the first thing wrong: what does not parse, an
// action, type, attribute, role, evidence or view that the schema does not know, an id that
// is missing or taken, a policy that is in error for some question, policies under which
// nobody could ever change them again.
func FromFiles(texts map[string]string, alarm Alarm) (*Engine, error) {
	if len(texts) == 0 {
		return Default(alarm)
	}
	var files []file
	size := 0
	for name, text := range texts {
		if size += len(text); len(texts) > maxFiles || len(text) > maxFile || size > maxAll {
			return nil, wrong("too many policies, or too long ones")
		}
		if !strings.HasSuffix(name, ".cedar") || strings.ContainsAny(name, "/\\") || len(name) > 100 {
			return nil, wrong("policies are in files NAME.cedar")
		}
		if err := bounded(name, []byte(text)); err != nil {
			return nil, err
		}
		files = append(files, file{name, []byte(text)})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	e, err := build(files, alarm)
	if err != nil {
		return nil, err
	}
	if err := e.changeable(); err != nil {
		return nil, err
	}
	return e, e.probe()
}

// maxAll bounds all files together, in bytes: they travel in one request.
const maxAll = 200 << 10

// changeable refuses policies that could never be changed again.
func (e *Engine) changeable() error {
	all := Facts{Second: true, Waited: true}
	somebody := func(do Action) bool {
		for _, r := range access.Roles() {
			if g, err := access.NewGrant(r, access.Everywhere()); err == nil && e.Decide(Question{Who: Staff(g, Passkey), Do: do, At: access.Everywhere(), Facts: all}).Allowed() {
				return true
			}
		}
		return false
	}
	switch {
	case !somebody(PolicyPropose) || !somebody(PolicyApprove):
		return wrong("under these policies nobody could propose and approve others: policy.propose and policy.approve are permitted to no role")
	case !e.Decide(Question{Who: System(), Do: ChangeEnforce, At: access.Everywhere(), Facts: all}).Allowed():
		return wrong("under these policies nothing could ever come into force: change.enforce is permitted to nobody")
	}
	return nil
}
