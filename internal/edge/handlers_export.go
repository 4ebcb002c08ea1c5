package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"unicode"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// Exports gives people what is held of them.
type Exports interface {
	Export(ctx context.Context, h vault.Holder) (vault.Export, error)
}

func exportRoutes() []Route {
	return []Route{{Method: "GET", Path: "/api/v3/export", Audience: Holder, Action: "person.export", Rate: RateSelf, ContentType: typeJSON, Handler: export}}
}

type wireExport struct {
	At        string             `json:"made_at"`
	Household wireExportHouse    `json:"household"`
	People    []wireExportPerson `json:"people"`
	Withheld  []string           `json:"withheld"`
	ViewRef   string             `json:"view_ref"`
	Receipts  []string           `json:"receipts"`
}

type wireExportHouse struct {
	MobileLast4 string             `json:"mobile_last_4"`
	Created     string             `json:"created_at"`
	Language    string             `json:"message_language"`
	Email       string             `json:"email"`
	EmailSince  string             `json:"email_since,omitempty"`
	Seen        string             `json:"last_code_week,omitempty"`
	PIN         bool               `json:"pin_set"`
	Devices     []wireExportDevice `json:"devices"`
}

type wireExportDevice struct {
	Kind  string `json:"kind"`
	Since string `json:"since"`
	Last  string `json:"last_used"`
}

type wireExportPerson struct {
	Reference    string              `json:"beneficiary_reference_id"`
	Name         string              `json:"name"`
	NameLocal    string              `json:"name_local"`
	BirthYear    int                 `json:"birth_year"`
	BirthDate    string              `json:"birth_date"`
	GenderID     int                 `json:"gender_id"`
	IDType       int                 `json:"photo_id_type"`
	IDLast4      string              `json:"photo_id_last_4"`
	Comorbidity  bool                `json:"comorbidity"`
	Guardian     string              `json:"guardian_name"`
	Registered   string              `json:"registered_at"`
	Consents     []wireExportConsent `json:"consents"`
	Doses        []wireExportDose    `json:"doses"`
	Appointments []wireExportVisit   `json:"appointments"`
	Certificates []string            `json:"certificates_valid_until"`
	Card         string              `json:"card_made_at,omitempty"`
	Joined       int                 `json:"joined_registrations"`
	Openings     []wireOpening       `json:"openings"`
	OpeningsMore bool                `json:"openings_are_older_too"`
	Requests     []wireRequest       `json:"requests"`
}

type wireExportConsent struct {
	Version  string `json:"version"`
	Language string `json:"language"`
	Purpose  string `json:"purpose"`
	By       string `json:"by"`
	At       string `json:"at"`
}

type wireExportDose struct {
	Event      string `json:"event_id"`
	Product    string `json:"vaccine"`
	Lot        string `json:"vaccine_batch"`
	Sequence   int    `json:"dose"`
	Day        string `json:"date"`
	Place      string `json:"place"`
	District   string `json:"district"`
	Vaccinator string `json:"vaccinator_name"`
	Source     string `json:"source"`
	Country    string `json:"country"`
	Status     string `json:"status"`
	Reason     string `json:"reason"`
	Recorded   string `json:"recorded_at"`
	Changed    string `json:"changed_at,omitempty"`
	Versions   int    `json:"versions"`
}

type wireExportVisit struct {
	Centre  int64  `json:"center_id"`
	Day     string `json:"date"`
	Slot    string `json:"slot"`
	Product string `json:"vaccine"`
	Dose    int    `json:"dose"`
	State   string `json:"state"`
	Booked  string `json:"booked_at"`
}

func exportWire(e vault.Export) wireExport {
	h := e.Household
	out := wireExport{At: instant(e.At), Withheld: texts(e.Withheld), ViewRef: e.ViewRef, Receipts: append([]string{}, e.Receipts...), People: []wireExportPerson{},
		Household: wireExportHouse{MobileLast4: h.MobileLast4, Created: instant(h.Created), Language: h.Language, Email: h.Email, EmailSince: optional(h.EmailSince), Seen: optional(h.Seen), PIN: h.PIN, Devices: []wireExportDevice{}}}
	for _, d := range h.Devices {
		out.Household.Devices = append(out.Household.Devices, wireExportDevice{d.Kind, instant(d.Since), instant(d.Last)})
	}
	for _, p := range e.People {
		out.People = append(out.People, exportPersonWire(p))
	}
	return out
}

func exportPersonWire(p vault.ExportPerson) wireExportPerson {
	w := wireExportPerson{Reference: string(p.Reference), Name: p.Name, NameLocal: p.NameLocal, BirthYear: p.BirthYear, BirthDate: p.BirthDate, GenderID: p.GenderID, IDType: p.IDType, IDLast4: p.IDLast4,
		Comorbidity: p.Comorbidity, Guardian: p.Guardian, Registered: instant(p.Registered), Card: optional(p.Card), Joined: p.Joined, OpeningsMore: p.OpeningsMore,
		Consents: []wireExportConsent{}, Doses: []wireExportDose{}, Appointments: []wireExportVisit{}, Certificates: []string{}, Openings: []wireOpening{}, Requests: []wireRequest{}}
	for _, c := range p.Consents {
		w.Consents = append(w.Consents, wireExportConsent{c.Version, c.Language, c.Purpose, c.By, instant(c.At)})
	}
	for _, d := range p.Doses {
		w.Doses = append(w.Doses, wireExportDose{string(d.Event), d.Product, d.Lot, d.Sequence, d.Day.Indian(), d.Place, d.District, d.Vaccinator, d.Source, d.Country, d.Status, d.Reason,
			instant(d.Recorded), optional(d.ChangedAt), d.Versions})
	}
	for _, v := range p.Appointments {
		w.Appointments = append(w.Appointments, wireExportVisit{int64(v.Centre), v.Day.Indian(), v.Slot, v.Product, v.Dose, v.State, instant(v.Booked)})
	}
	for _, until := range p.Certificates {
		w.Certificates = append(w.Certificates, instant(until))
	}
	for _, o := range p.Openings {
		w.Openings = append(w.Openings, wireOpening{Index: o.Index, At: instant(o.At), Local: local(o.At), Ref: string(o.Reference), Kind: o.Kind, View: o.View, Role: o.Role, Place: o.Place, Reason: o.Reason, ViewRef: o.ViewRef})
	}
	for _, r := range p.Requests {
		w.Requests = append(w.Requests, requestWire(r))
	}
	return w
}

// ExportJSON is the file of what is held, as the API answers it.
func ExportJSON(e vault.Export) ([]byte, error) {
	raw, err := json.MarshalIndent(exportWire(e), "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "export")
	}
	return noDirections(raw), nil
}

// noDirections writes the marks that turn a text's direction as \uXXXX: a name that has one would
// show the lines of the file around it in another order than they stand. In JSON they stand in
// strings only.
func noDirections(raw []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(raw) {
		if unicode.Is(unicode.Bidi_Control, r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

// export gives the holder everything that is held of their people.
func export(c *Ctx) error {
	got, err := c.s.cfg.Exports.Export(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	c.shown(got.ViewRef)
	return c.json(exportWire(got))
}
