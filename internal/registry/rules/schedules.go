package rules

import (
	"time"

	"tikakosh/internal/civil"
)

// Days from the last primary dose to the precaution dose: 39 weeks from 10
// January 2022, 26 weeks from 6 July 2022 (contract.md 3).
const (
	precautionDays2022 = 39 * 7
	precautionDays     = 26 * 7
)

func on(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }

// primary is a series of doses of one product: the second and further ones come
// minDays after the one before and are recommended until maxDays (0: no end).
func primary(doses, minDays, maxDays int) []Step {
	out := []Step{{Dose: 1, Primary: true}}
	for d := 2; d <= doses; d++ {
		out = append(out, Step{Dose: d, MinDays: minDays, MaxDays: maxDays, Primary: true, SameProduct: true})
	}
	return out
}

// withPrecaution adds the precaution dose for adults, of the same product.
func withPrecaution(steps []Step, days int) []Step {
	return append(steps, Step{Dose: len(steps) + 1, MinDays: days, SameProduct: true, MinAge: 18})
}

// covid makes a COVID product. Its usual dose is 0.5 mL into the left deltoid.
// Of the versions the last one is today's rule.
func covid(code, maker, cvx, icd11, snomed string, versions ...Version) Product {
	last := versions[len(versions)-1]
	return Product{Code: code, Programme: ProgrammeCOVID, Antigens: []string{"SARS-CoV-2"}, Manufacturer: maker,
		CVX: cvx, ICD11: icd11, SNOMED: snomed, MinAge: last.MinAge, MaxAge: last.MaxAge, Steps: last.Steps,
		Route: "IM", BodySite: "left upper arm", Quantity: "0.5 mL", Versions: versions}
}

const precautionNote = "39 weeks at first for health and front-line workers and people from 60 years on, whom the registry cannot tell apart"

// covishield: 4 to 6 weeks, 4 to 8 weeks from 22 March 2021, 12 to 16 weeks
// from 13 May 2021.
func covishield() Product {
	const early = "from 7 June 2021 not before 28 days for study, work or sport abroad"
	return covid("COVISHIELD", "Serum Institute of India", "210", "XM97T2", "28961000087105",
		Version{From: on(2021, 1, 16), MinAge: 18, Steps: primary(2, 28, 42)},
		Version{From: on(2021, 3, 22), MinAge: 18, Steps: primary(2, 28, 56)},
		Version{From: on(2021, 5, 13), MinAge: 18, Steps: primary(2, 84, 112), Note: early},
		Version{From: on(2022, 1, 10), MinAge: 18, Steps: withPrecaution(primary(2, 84, 112), precautionDays2022), Note: precautionNote},
		Version{From: on(2022, 7, 6), MinAge: 18, Steps: withPrecaution(primary(2, 84, 112), precautionDays), Note: early})
}

// covaxin: 28 to 42 days; from 15 years since 3 January 2022.
func covaxin() Product {
	return covid("COVAXIN", "Bharat Biotech", "502", "XM1G90", "33211000087105",
		Version{From: on(2021, 1, 16), MinAge: 18, Steps: primary(2, 28, 42)},
		Version{From: on(2022, 1, 3), MinAge: 15, Steps: primary(2, 28, 42)},
		Version{From: on(2022, 1, 10), MinAge: 15, Steps: withPrecaution(primary(2, 28, 42), precautionDays2022), Note: precautionNote},
		Version{From: on(2022, 7, 6), MinAge: 15, Steps: withPrecaution(primary(2, 28, 42), precautionDays)})
}

func sputnik() Product {
	return covid("SPUTNIK V", "Gamaleya Research Institute", "505", "XM5ZJ4", "31341000087103",
		Version{From: on(2021, 5, 14), MinAge: 18, Steps: primary(2, 21, 0)},
		Version{From: on(2022, 1, 10), MinAge: 18, Steps: withPrecaution(primary(2, 21, 0), precautionDays2022), Note: precautionNote},
		Version{From: on(2022, 7, 6), MinAge: 18, Steps: withPrecaution(primary(2, 21, 0), precautionDays)})
}

func corbevax() Product {
	return covid("CORBEVAX", "Biological E", "517", "XM5JC5", "",
		Version{From: on(2022, 3, 16), MinAge: 12, Steps: withPrecaution(primary(2, 28, 0), precautionDays2022)},
		Version{From: on(2022, 7, 6), MinAge: 12, Steps: withPrecaution(primary(2, 28, 0), precautionDays)})
}

func covovax() Product {
	return covid("COVOVAX", "Serum Institute of India", "211", "XM9T65", "34921000087108",
		Version{From: on(2022, 5, 3), MinAge: 12, Steps: withPrecaution(primary(2, 21, 0), precautionDays2022)},
		Version{From: on(2022, 7, 6), MinAge: 12, Steps: withPrecaution(primary(2, 21, 0), precautionDays)})
}

// zycov: three doses, without a needle into the skin.
func zycov() Product {
	p := covid("ZyCoV-D", "Zydus Lifesciences", "514", "XM52P3", "424971000221108",
		Version{From: on(2021, 8, 20), MinAge: 12, Steps: primary(3, 28, 0), Note: "from the day of its emergency approval"})
	p.Route, p.Quantity = "IDINJ", "0.1 mL"
	return p
}

// yellowFever is not part of any Indian schedule: one dose for travel, valid
// for life (International Health Regulations, annex 7).
func yellowFever() Product {
	steps := []Step{{Dose: 1, Primary: true}}
	return Product{Code: "STAMARIL", Programme: ProgrammeTravel, Antigens: []string{"Yellow fever"}, Manufacturer: "Sanofi Pasteur", CVX: "183",
		MinAge: 1, Steps: steps, Route: "SQ", BodySite: "left upper arm", Quantity: "0.5 mL",
		Versions: []Version{{From: on(2016, 7, 11), MinAge: 1, Steps: steps}}}
}

// shown is the order of the products, catalogue makes each afresh. Codes are
// those of standards.md 5.2; neither is changed after start.
var (
	shown     = []string{"COVISHIELD", "COVAXIN", "SPUTNIK V", "CORBEVAX", "COVOVAX", "ZyCoV-D", "STAMARIL"}
	catalogue = map[string]func() Product{
		"COVISHIELD": covishield, "COVAXIN": covaxin, "SPUTNIK V": sputnik, "CORBEVAX": corbevax, "COVOVAX": covovax,
		"ZyCoV-D": zycov, "STAMARIL": yellowFever,
	}
)
