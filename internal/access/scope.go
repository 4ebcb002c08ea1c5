package access

import (
	"strconv"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Level is how large a place is.
type Level int

// The levels. The zero value is no place.
const (
	LevelNone Level = iota
	LevelNational
	LevelState
	LevelDistrict
	LevelCentre
)

// Scope is a place with all it lies in. It is comparable. The zero value is no place:
// it covers nothing and nothing covers it. State and district numbers are CoWIN's.
// Where a centre lies is its maker's word: whoever makes a scope from a request must
// hold it against what is on record of that centre, or a district would choose its
// centres.
type Scope struct {
	level           Level
	state, district int
	centre          id.Centre
}

// Everywhere is the whole installation.
func Everywhere() Scope { return Scope{level: LevelNational} }

// InState is one state. A number below 1 makes no place.
func InState(state int) Scope {
	if state < 1 {
		return Scope{}
	}
	return Scope{level: LevelState, state: state}
}

// InDistrict is one district of a state. A number below 1 makes no place.
func InDistrict(state, district int) Scope {
	if state < 1 || district < 1 {
		return Scope{}
	}
	return Scope{level: LevelDistrict, state: state, district: district}
}

// AtCentre is one centre. State and district may be 0, together, where it is not known
// in which it lies: then only that centre and the whole installation cover it.
func AtCentre(state, district int, c id.Centre) Scope {
	if c < 1 || state < 0 || district < 0 || (state == 0) != (district == 0) {
		return Scope{}
	}
	return Scope{level: LevelCentre, state: state, district: district, centre: c}
}

// Level of the place.
func (s Scope) Level() Level { return s.level }

// State is the number of the state it is or lies in, 0 for none.
func (s Scope) State() int { return s.state }

// District is the number of the district it is or lies in, 0 for none.
func (s Scope) District() int { return s.district }

// Centre is the centre's number, 0 for a larger place.
func (s Scope) Centre() id.Centre { return s.centre }

// Covers reports whether o is s or lies in it.
func (s Scope) Covers(o Scope) bool {
	if s.level == LevelNone || o.level < s.level {
		return false
	}
	switch s.level {
	case LevelNational:
		return true
	case LevelState:
		return s.state == o.state
	case LevelDistrict:
		return s.state == o.state && s.district == o.district
	default:
		return s.centre == o.centre
	}
}

// String is the form ParseScope reads: "national", "state/21", "district/21/395",
// "centre/21/395/1001" ("centre/0/0/1001" when it is not known where it lies), and
// "none" for the zero value.
func (s Scope) String() string {
	switch s.level {
	case LevelNational:
		return "national"
	case LevelState:
		return "state/" + strconv.Itoa(s.state)
	case LevelDistrict:
		return "district/" + strconv.Itoa(s.state) + "/" + strconv.Itoa(s.district)
	case LevelCentre:
		return "centre/" + strconv.Itoa(s.state) + "/" + strconv.Itoa(s.district) + "/" + strconv.FormatInt(int64(s.centre), 10)
	default:
		return "none"
	}
}

// ParseScope reads what String writes, in that one form: no signs, no leading zeros. It
// does not read "none". It returns a fault.Invalid.
func ParseScope(text string) (Scope, error) {
	f := strings.Split(text, "/")
	n := make([]int64, len(f))
	for i, s := range f[1:] {
		n[i+1], _ = strconv.ParseInt(s, 10, 64) // what does not parse does not print as it was read
		if n[i+1] != int64(int(n[i+1])) {
			n[i+1] = 0
		}
	}
	var s Scope
	switch {
	case text == "national":
		s = Everywhere()
	case f[0] == "state" && len(f) == 2:
		s = InState(int(n[1]))
	case f[0] == "district" && len(f) == 3:
		s = InDistrict(int(n[1]), int(n[2]))
	case f[0] == "centre" && len(f) == 4:
		s = AtCentre(int(n[1]), int(n[2]), id.Centre(n[3]))
	}
	if s.level == LevelNone || s.String() != text {
		return Scope{}, fault.New(fault.Invalid, "scope", "a place is national, state/STATE, district/STATE/DISTRICT or centre/STATE/DISTRICT/CENTRE, with CoWIN's numbers")
	}
	return s, nil
}

// MarshalText writes String's form. The zero value is an error.
func (s Scope) MarshalText() ([]byte, error) {
	if s.level == LevelNone {
		return nil, fault.New(fault.Internal, "scope", "no place")
	}
	return []byte(s.String()), nil
}

// UnmarshalText is ParseScope.
func (s *Scope) UnmarshalText(text []byte) (err error) {
	*s, err = ParseScope(string(text))
	return err
}
