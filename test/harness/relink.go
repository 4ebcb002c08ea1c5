package harness

// Where re-linking is, after /api: staff's part and holders'.
const (
	RelinkPath = "/v3/staff/relink"
	MovesPath  = "/v3/relink"
)

// Lost is somebody whose phone is lost: what they show at a centre.
type Lost struct {
	Reference, Document string // a PAN
	Old, New            string // numbers
	Holder              *Client
}

// Lost registers a household of so many people, whose first one loses the phone.
func (s *Server) Lost(people int) (l Lost) {
	s.tb.Helper()
	l.Holder, l.Old = s.Holder()
	l.New, l.Document = s.Mobile(), s.PAN()
	for i := range people {
		p := Person{Name: "Asha Test"}
		if i == 0 {
			p.ID = l.Document
		}
		ref, a := l.Holder.TryEnrol(p)
		l.Holder.need("register", a)
		if i == 0 {
			l.Reference = ref
		}
	}
	return l
}

// RelinkForm is what the first member of staff signs.
func (l Lost) RelinkForm() map[string]any {
	return map[string]any{"beneficiary_reference_id": l.Reference, "photo_id_type": 6, "photo_id_number": l.Document, "mobile_number": l.New, "reason": "phone lost"}
}

// RelinkAsk asks to move somebody.
func (d *Desk) RelinkAsk(l Lost) Answer { return d.TouchedBy(RelinkPath, l.RelinkForm(), d) }

// RelinkAgree is the second one's word, at their own device.
func (d *Desk) RelinkAgree(asked Answer) Answer {
	return d.TouchedBy(RelinkPath+"/approve", GlassApproval(asked), d)
}

// Relink has both members of a shift sign; it answers with the second one's answer.
func (w *Shift) Relink(l Lost) Answer {
	w.A.tb.Helper()
	return w.B.Must(w.B.RelinkAgree(w.A.Must(w.A.RelinkAsk(l))))
}

// TakeOver takes somebody over to the number of a session.
func (c *Client) TakeOver(reference string) Answer {
	return c.Must("POST", MovesPath+"/finish", map[string]any{"beneficiary_reference_id": reference})
}
