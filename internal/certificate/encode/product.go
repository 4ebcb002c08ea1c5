package encode

import "strings"

// Product is what the carriers must know about a vaccine.
type Product struct {
	Name         string // registry name, upper case
	Maker        string // printed manufacturer
	Disease      string // printed target disease
	COVID        bool
	TG, VP       string // EU value sets: disease or agent, vaccine or prophylaxis (SNOMED CT)
	MP, MA       string // EU value sets: medicinal product, marketing authorisation holder
	ICVP         string // WHO prequalified product id, or "" where WHO lists none
	Recognised   bool   // the codes are in the published value set of their claim
	ValidFromDay int    // days from the dose until it protects under the IHR
}

const (
	tgCOVID   = "840539006"  // SNOMED CT, COVID-19
	vpAntigen = "1119305005" // SNOMED CT, SARS-CoV-2 antigen vaccine
)

// ProductOf finds a product by its registry name, without regard to case,
// spaces and hyphens. An unknown name is a product without codes, not COVID:
// its certificate carries the name where a code would stand, and Recognised is
// false. Codes: eu-dcc-valuesets 60ea3d8, smart-icvp ValueSet ICVPProductIds;
// CORBEVAX and ZYCOV-D have no mp and ma there, so they carry their trade name
// and their maker's name instead: the signature can be checked everywhere, the
// product is accepted only by verifiers that know it.
func ProductOf(name string) Product {
	want := productKey(name)
	for _, p := range products {
		if productKey(p.Name) == want {
			return p
		}
	}
	return Product{Name: strings.ToUpper(clip(clean(name), 80))}
}

// Products lists the table, in a copy the caller may keep.
func Products() []Product { return append([]Product(nil), products[:]...) }

func productKey(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' {
			return -1
		}
		return r
	}, strings.ToUpper(s))
}

func covid(name, maker, vp, mp, ma string, recognised bool) Product {
	return Product{Name: name, Maker: maker, Disease: "COVID-19", COVID: true, TG: tgCOVID, VP: vp, MP: mp, MA: ma, Recognised: recognised}
}

func other(name, maker, disease, icvp string) Product {
	return Product{Name: name, Maker: maker, Disease: disease, ICVP: icvp, Recognised: icvp != ""}
}

// products is read-only. Yellow fever begins to protect ten days after the
// dose (IHR 2005, annex 7).
var products = [...]Product{
	covid("COVISHIELD", "Serum Institute of India", "29061000087103", "Covishield", "ORG-100001981", true),
	covid("COVAXIN", "Bharat Biotech", "1157024006", "Covaxin", "Bharat-Biotech", true),
	covid("SPUTNIK V", "Gamaleya Research Institute", "29061000087103", "Sputnik-V", "Gamaleya-Research-Institute", true),
	covid("SPUTNIK LIGHT", "Gamaleya Research Institute", "29061000087103", "Sputnik-Light", "Gamaleya-Research-Institute", true),
	covid("COVOVAX", "Serum Institute of India", "1162643001", "Covovax", "ORG-100001981", true),
	covid("CORBEVAX", "Biological E", vpAntigen, "CORBEVAX", "Biological E", false),
	covid("ZYCOV-D", "Zydus Lifesciences", "1187593009", "ZyCoV-D", "Zydus Lifesciences", false),
	{Name: "STAMARIL", Maker: "Sanofi Pasteur", Disease: "Yellow fever", ICVP: "YellowFeverProductd8a09f80301dc05e124f99ffe7711fc0", Recognised: true, ValidFromDay: 10},
	{Name: "YELLOW FEVER (CHUMAKOV)", Maker: "Chumakov FSC R&D IBP", Disease: "Yellow fever", ICVP: "YellowFeverProductd2c75a15ed309658b3968519ddb31690", Recognised: true, ValidFromDay: 10},
	{Name: "YELLOW FEVER (DAKAR)", Maker: "Institut Pasteur de Dakar", Disease: "Yellow fever", ICVP: "YellowFeverProduct223330a7c15da86b21cc363f591de002", Recognised: true, ValidFromDay: 10},
	other("BIOPOLIO B1/3", "Bharat Biotech", "Poliomyelitis", "PolioVaccineOralOPVBivalProduct0e59118bc5938520115bac65a45be04d"),
	other("BOPV (PANACEA)", "Panacea Biotec", "Poliomyelitis", "PolioVaccineOralOPVBivalProduct02c099d69cd245e7fcd3280a96f1dccb"),
	other("BOPV (SERUM)", "Serum Institute of India", "Poliomyelitis", "PolioVaccineOralOPVBivalProducta5416e91021f0c00915e4688ff508717"),
	other("IPV (SERUM)", "Serum Institute of India", "Poliomyelitis", "PolioVaccineInactivatedIProductf8085a2bd9a1c84fba1adee2ec6f6fb1"),
	other("SHANIPV", "Sanofi Healthcare India", "Poliomyelitis", "PolioVaccineInactivatedIProduct81ee9ba77c4419bbfe44a27cfd10027e"),
	other("HEXASIIL", "Serum Institute of India", "Diphtheria, tetanus, pertussis, hepatitis B, Hib, poliomyelitis", "DiphtheriaTetanusPertussProductf4177b409d09d83e48630717437c5aea"),
	other("BCG", "", "Tuberculosis", ""),
	other("OPV", "", "Poliomyelitis", ""),
	other("FIPV", "", "Poliomyelitis", ""),
	other("HEPATITIS B", "", "Hepatitis B", ""),
	other("PENTAVALENT", "", "Diphtheria, tetanus, pertussis, hepatitis B, Hib", ""),
	other("ROTAVIRUS", "", "Rotavirus", ""),
	other("PCV", "", "Pneumococcal disease", ""),
	other("MR", "", "Measles and rubella", ""),
	other("JE", "", "Japanese encephalitis", ""),
	other("DPT", "", "Diphtheria, tetanus, pertussis", ""),
	other("TD", "", "Tetanus and diphtheria", ""),
	other("HPV", "", "Human papillomavirus", ""),
}

// byCode finds the product whose signed codes are mp (EU) or vp (ICVP).
func byCode(code string) (Product, bool) {
	for _, p := range products {
		if code != "" && (p.MP == code || p.ICVP == code || !p.COVID && p.ICVP == "" && p.Name == code) {
			return p, true
		}
	}
	return Product{}, false
}
