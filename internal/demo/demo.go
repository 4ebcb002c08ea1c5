// Package demo generates a synthetic programme: centres at real PIN codes,
// sessions, and people who do not exist. It is pure: the same seed and day give
// the same programme.
package demo

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/google/uuid"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/vault"
)

// FirstCentre is the number of the first generated centre. It works around the
// clock, so that at any hour a session is open.
const FirstCentre id.Centre = 900001

// Zone is the zone of every generated centre.
const Zone = "Asia/Kolkata"

// Options say how much to generate.
type Options struct {
	Seed    uint64
	Today   civil.Date
	Centres int
	People  int
	Days    int
}

// Programme generates. It is not safe for concurrent use.
type Programme struct {
	opt     Options
	places  *places.Places
	centres []scheduling.Centre
}

// New prepares a programme.
func New(p *places.Places, o Options) *Programme {
	g := &Programme{opt: o, places: p}
	r := g.rand(1)
	pins := p.PINs()
	for i := range o.Centres {
		g.centres = append(g.centres, g.centre(r, i, pins[r.IntN(len(pins))]))
	}
	return g
}

// rand is a stream of its own for each part, so that changing one amount does
// not change the other parts.
func (g *Programme) rand(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(g.opt.Seed, stream))
}

func (g *Programme) centre(r *rand.Rand, i int, pin places.PIN) scheduling.Centre {
	district, _ := g.places.District(pin.District)
	state, _ := g.places.State(district.State)
	kind := []string{"Primary Health Centre", "Community Health Centre", "District Hospital", "Government School Camp", "Urban Health Post"}[r.IntN(5)]
	c := scheduling.Centre{ID: FirstCentre + id.Centre(i), Name: fmt.Sprintf("Demo %s %d", kind, i+1), Address: fmt.Sprintf("%d Sample Road", 1+r.IntN(200)),
		State: state.Name, District: district.Name, Block: pin.Block, StateID: state.ID, DistrictID: district.ID, PIN: pin.Code,
		Lat: near(r, district.Lat), Long: near(r, district.Long), Zone: Zone, Opens: 9 * 60, Closes: 17 * 60, Paid: r.IntN(5) == 0}
	if i == 0 {
		c.Name, c.Opens, c.Closes, c.Paid = "Demo Round-the-clock Centre 1", 0, 24*60-1, false
	}
	return c
}

// near is a degree up to a sixth of one away, kept to a thousandth: in the same
// district, roughly.
func near(r *rand.Rand, degrees float64) float64 {
	return math.Round(1000*(degrees+(r.Float64()-0.5)/3)) / 1000
}

// Today is the day that the programme starts from.
func (g *Programme) Today() civil.Date { return g.opt.Today }

// Centres returns the generated centres.
func (g *Programme) Centres() []scheduling.Centre { return g.centres }

// sessionStream is the first of the streams of sessions, one for each day: a day
// has the same sessions whenever the demo is started.
const sessionStream = 1 << 32

// Sessions returns the sessions of all centres and days, in order of day.
func (g *Programme) Sessions() []scheduling.Session {
	products := []string{"COVISHIELD", "COVISHIELD", "COVAXIN", "COVAXIN", "CORBEVAX", "COVOVAX", "SPUTNIK V", "ZyCoV-D", "STAMARIL"} // the last for children under 12 too
	var out []scheduling.Session
	for d := range g.opt.Days {
		r := g.rand(sessionStream + uint64(g.opt.Today.AddDays(d).DaysSince(civil.Date{Year: 2000, Month: 1, Day: 1})))
		for i, c := range g.centres {
			if i > 0 && r.IntN(4) == 0 {
				continue // closed that day
			}
			p, _ := rules.LookupProduct(products[r.IntN(len(products))])
			s := scheduling.Session{ID: id.Session(g.uuid(r)), Centre: c.ID, Day: g.opt.Today.AddDays(d), Zone: Zone, Programme: p.Programme,
				Product: p.Code, MinAge: max(p.MinAge, []int{p.MinAge, 18, 45}[r.IntN(3)]), Cap1: 20 + r.IntN(180), Cap2: 20 + r.IntN(180),
				Slots: []string{"09:00AM-11:00AM", "11:00AM-01:00PM", "01:00PM-03:00PM", "03:00PM-05:00PM"}}
			if c.Paid {
				s.Fee = 250 + 10*r.IntN(100)
			}
			if i == 0 {
				s.Product, s.Programme, s.MinAge, s.Cap1, s.Cap2, s.BookingCloses = "COVAXIN", rules.ProgrammeCOVID, 18, 100_000, 100_000, scheduling.AllDay
				s.Slots = []string{"12:00AM-06:00AM", "06:00AM-12:00PM", "12:00PM-06:00PM", "06:00PM-12:00AM"}
			}
			out = append(out, s)
		}
	}
	return out
}

// uuid draws a version 4 UUID from the stream.
func (g *Programme) uuid(r *rand.Rand) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return uuid.UUID(b).String()
}

// unlinkedEvery: one household in so many is a person without a mobile.
const unlinkedEvery = 40

// Households calls yield for each generated household until it returns false.
// Mobiles are ten digits and begin with 0 to 5: they are nobody's.
func (g *Programme) Households(yield func(vault.SeedHousehold) bool) {
	r := g.rand(3)
	left, person := g.opt.People, 0
	for n := 0; left > 0; n++ {
		size := min(1+r.IntN(6), left)
		left -= size
		h := vault.SeedHousehold{Mobile: fmt.Sprintf("%d%09d", n%6, 100_000_000+n)}
		if n%unlinkedEvery == unlinkedEvery-1 {
			left += size - 1
			size, h.Mobile = 1, ""
		}
		family := g.word(r, familyNames())
		for i := range size {
			h.Members = append(h.Members, g.member(r, family, i, person))
			person++
		}
		if !yield(h) {
			return
		}
	}
}

func (g *Programme) word(r *rand.Rand, list []name) name { return list[r.IntN(len(list))] }

// member draws one person of a household: the first is grown up, a third of the
// others are children from their first year on. n is the person's number in the
// programme, and no two people have one id number.
func (g *Programme) member(r *rand.Rand, family name, i, n int) vault.SeedMember {
	gender := 1 + r.IntN(2)
	given := g.word(r, givenNames(gender))
	year := g.opt.Today.Year - (18 + r.IntN(70))
	who := vault.Identity{Name: given.latin + " " + family.latin, NameLocal: given.local + " " + family.local, GenderID: gender, IDType: rules.IDPAN,
		IDNumber: panLike(n)}
	if i >= 1 && r.IntN(3) == 0 {
		year = g.opt.Today.Year - (1 + r.IntN(17))
		who.Guardian = "Guardian " + family.latin
	}
	if r.IntN(10) == 0 {
		who.IDType, who.IDNumber = 1, aadhaarLike(n)
	}
	who.BirthYear = year
	return vault.SeedMember{Identity: who, Consent: vault.Consent{Version: "1", Language: "en", Purpose: "registration"}, Doses: g.doses(r, rules.Birth{Year: year})}
}

// doses draws a past history that every rule allows.
func (g *Programme) doses(r *rand.Rand, birth rules.Birth) []vault.SeedDose {
	product := []string{"COVISHIELD", "COVAXIN", "CORBEVAX", "SPUTNIK V"}[r.IntN(4)]
	var out []vault.SeedDose
	var history []rules.Given
	day := g.opt.Today.AddDays(-(200 + r.IntN(700)))
	for dose := 1; dose <= r.IntN(4); dose++ {
		if !rules.Evaluate(history, birth, rules.Want{Product: product, Dose: dose, Day: day}).OK {
			break
		}
		c := g.centres[r.IntN(len(g.centres))]
		out = append(out, vault.SeedDose{Product: product, Lot: fmt.Sprintf("DEMO-%03d", r.IntN(1000)), Sequence: dose, Given: day, Centre: c.ID,
			CentreName: c.Name, District: c.District, State: c.State, Vaccinator: "Demo Vaccinator"})
		history = append(history, rules.Given{Product: product, Dose: dose, Day: day, Status: rules.StatusConfirmed})
		day = day.AddDays(85 + r.IntN(20))
	}
	return out
}

// panLike makes a number of the form of a PAN from one below 26⁵·10⁴. Its fourth
// letter, which says what its holder is, is X: it is nobody's.
func panLike(n int) string {
	digits, rest := n%10_000, n/10_000
	var l [4]byte
	for i := range l {
		l[i] = 'A' + byte(rest%26)
		rest /= 26
	}
	return fmt.Sprintf("%c%c%cX%c%04d%c", l[3], l[2], l[1], l[0], digits, 'A'+byte(rest%26))
}

// aadhaarLike makes twelve digits with a right check digit from a range that is
// not issued: it begins 2000. There are ten million of them.
func aadhaarLike(n int) string {
	s := fmt.Sprintf("2000%07d", n%10_000_000)
	return s + string('0'+id.VerhoeffDigit(s))
}
