package redteam

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// capturedOffers is what capturedVariable says to ask offer after offer inside the web role.
const capturedOffers = "offers"

// offersScene is what the attacker has: a session on a device that is new to a household, the
// registry, and one of its people.
type offersScene struct {
	Data, Person, Bearer string
	Centre               int64
	Today                civil.Date
}

// offersLoot is how many offers the vault judged, and how it refused the first other one.
type offersLoot struct {
	Judged int
	Why    string
}

// TestD4OfferAfterOffer: whoever has somebody's SIM and the web role asks whether they may be
// booked, with offers for every age, so that the masked view tells an age after all.
func TestD4OfferAfterOffer(t *testing.T) {
	t.Parallel()
	const allowed = 30 // a day
	run(t, "D4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile := s.Mobile()
		ref := s.Client().SignInOn(s.DeviceKey(), mobile).Enrol("Asha Test")
		thief := s.Client().SignInOn(s.DeviceKey(), mobile)
		today, err := civil.ParseIndian(s.Indian())
		if err != nil {
			t.Fatal(err)
		}
		in, err := json.Marshal(offersScene{Data: s.Data, Person: s.PersonOf(ref), Bearer: thief.Bearer, Centre: s.StaffKey("vaccinator").Centre, Today: today})
		if err != nil {
			t.Fatal(err)
		}
		out, _ := inWebRole(t, s, capturedOffers, in)
		var got offersLoot
		if err := json.Unmarshal(out, &got); err != nil || got.Judged < allowed {
			t.Fatalf("%v: %.300s", err, out)
		}
		return got.Judged > allowed, fmt.Sprintf("%d offers were judged; then: %s", got.Judged, got.Why)
	}})
}

// offersInWeb is the attacker's process.
func offersInWeb() int {
	var sc offersScene
	err := json.NewDecoder(os.Stdin).Decode(&sc)
	if err == nil {
		err = sc.ask()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (sc offersScene) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := vault.NewClient(ipc.HTTPClient(ipc.NewDialer(os.NewFile(3, "vault")), 10*time.Second), ipc.BaseURL)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(sc.Data, harness.RegistryDB)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	rec, err := (&attacker{db: db}).record(ctx, sc.Person)
	if err != nil {
		return err
	}
	loot := offersLoot{Why: "it may go on"}
	for age := 18; age < 80; age++ {
		offer := vault.Offer{Centre: id.Centre(sc.Centre), Session: id.Session(fmt.Sprint("offer-", age)), Day: sc.Today.AddDays(1), Zone: "Asia/Kolkata", Slot: "11:00AM-12:00PM", Product: "COVISHIELD", MinAge: age}
		got, err := client.Chances(ctx, vault.ChancesRequest{Holder: vault.Holder{Bearer: sc.Bearer}, Offer: offer, Dose: 1, Records: []vault.Record{rec}})
		if err != nil {
			loot.Why = fmt.Sprint(fault.KindOf(err), " ", fault.CodeOf(err))
			break
		}
		if len(got.People) != 1 {
			return fmt.Errorf("an offer was judged for %d people", len(got.People))
		}
		loot.Judged++
	}
	return json.NewEncoder(os.Stdout).Encode(loot)
}
