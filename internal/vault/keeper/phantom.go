package keeper

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// A phantom is a person who does not exist, on the list of a day: nobody comes for it, so
// that nobody who works for those who come ever opens it. Which ones there are follows from
// a key, the session and the day; no list of them is kept anywhere.
type phantom struct {
	id        id.Person
	slot      string
	Name      string
	BirthYear int
	GenderID  int
	Last4     string
	Reference string
}

// phantomPrefix and the length of a person's id make a phantom's.
const phantomPrefix = "phantom/"

func isPhantom(p id.Person) bool {
	return strings.HasPrefix(string(p), phantomPrefix) && !ablate.Off(ablate.Phantoms)
}

// For each phantomShare people a list has a phantom, and phantomLeast at least: who opens
// 30 rows of a list of 100 people meets one in 82 of 100 cases, who opens 5 of 20 in 54.
const (
	phantomShare = 20
	phantomLeast = 3
)

// phantoms are those of a session's list, spread over the slots that people have.
func (k *Keeper) phantoms(s state.OpenSession, slots map[id.Person]string) []phantom {
	if len(slots) == 0 || ablate.Off(ablate.Phantoms) {
		return nil
	}
	taken := slices.Sorted(maps.Values(slots))
	var out []phantom
	for i := range max(phantomLeast, len(slots)/phantomShare) {
		p := k.phantomOf(s, id.Person(phantomPrefix+hex.EncodeToString(k.phantomBytes(s, fmt.Sprint("id ", i)))[:36-len(phantomPrefix)]))
		p.slot = taken[int(binary.BigEndian.Uint32(k.phantomBytes(s, fmt.Sprint("slot ", i))))%len(taken)]
		out = append(out, p)
	}
	return out
}

func (k *Keeper) phantomBytes(s state.OpenSession, what string) []byte {
	return k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("phantom"), []byte(state.OpenSessionKey(s.Centre, s.Session, s.Day)), []byte(what))
}

// phantomOf is who a phantom seems to be: the same each time.
func (k *Keeper) phantomOf(s state.OpenSession, person id.Person) phantom {
	b := k.phantomBytes(s, string(person))
	first, last := phantomNames()
	number := fmt.Sprintf("%013d", 1_000_000_000_000+binary.BigEndian.Uint64(b[8:16])%9_000_000_000_000)
	reference := number + string('0'+id.VerhoeffDigit(number)) // of the same range and with the check digit as everybody's
	return phantom{id: person, Name: first[int(b[0])%len(first)] + " " + last[int(b[1])%len(last)], BirthYear: s.Day.Year - 18 - int(b[2])%62,
		GenderID: 1 + int(b[3])%2, Last4: fmt.Sprintf("%04d", binary.BigEndian.Uint16(b[4:6])%10_000), Reference: reference}
}

// phantomNames are common names; given and family name are drawn apart.
func phantomNames() (first, last []string) {
	return strings.Fields("Aarti Abdul Ajay Amit Anil Anita Arun Asha Ashok Bharat Deepa Deepak Farida Gita Hari Imran Indira Jyoti Kamla Kavita Kiran Lakshmi Lalita Mahesh Manoj Meena Mohan Nasreen Neha Pooja Prakash Priya Rajesh Rakesh Ramesh Rekha Salim Sanjay Shanti Sita Sunil Sunita Suresh Usha Vijay Vinod Yusuf Zainab"),
		strings.Fields("Ahmed Ansari Bano Begum Bhatt Chauhan Das Devi Ghosh Gupta Jadhav Jain Joshi Kaur Khan Khatun Kumar Kumari Lal Mandal Mehta Mishra Nair Paswan Patel Patil Pillai Prasad Rai Ram Rao Reddy Roy Sah Sahu Sharma Shinde Singh Sinha Thakur Tiwari Verma Yadav")
}

// ghost is the view of a phantom: a person before their first dose.
func (k *Keeper) ghost(s state.OpenSession, person id.Person) vault.Person {
	p := k.phantomOf(s, person)
	return vault.Person{Person: person, Reference: id.Reference(p.Reference), Name: p.Name, BirthYear: p.BirthYear, GenderID: p.GenderID, IDType: 1,
		IDLast4: p.Last4, Status: "Not Vaccinated"}
}

// phantomOpened answers as for anybody else, steps the member's day up, and raises the alarm
// where they do not hear it.
func (t *txn) phantomOpened(staff id.Staff, s state.OpenSession, person id.Person) (v budget.Verdict, refused, err error) {
	if v, err = t.budgeted(staff, s, budget.Phantom, person); err != nil {
		return v, nil, err
	}
	t.Append(engine.Entry{Kind: "phantom", View: viewVerify, Role: roleVaccinator, Actor: string(staff), Place: s.Name, Reason: evidenceRoster})
	t.k.log.Warn("alarm: a person who does not exist was opened from a list", "alarm", "phantom", "centre", int64(s.Centre))
	if v.Outcome != budget.Allow {
		return v, needCode(v), nil
	}
	return v, nil, nil
}
