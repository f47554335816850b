// Checks a log that somebody has downloaded, with golang.org/x/mod/sumdb alone: no line of the gateway's is used.
//
// Usage: check VKEY FOLDER…
//
// A folder holds the files of a log at one size, as C2SP tlog-tiles names them: checkpoint, tile/<L>/<N>[.p/<W>],
// tile/entries/<N>[.p/<W>]; and proofs: proof/<index>, consistency/<old>, each a base64 hash a line.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of a tile: 256 hashes

type folder string

func (f folder) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(string(f), name))
	refuse(err)
	return data
}

// x/mod calls tile/8/<L>/<N> what C2SP calls tile/<L>/<N>.
func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for at, tile := range tiles {
		data[at] = f.read("tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
	}
	return data, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads the entries of a tree: each after its length in two bytes.
func (f folder) entries(size int64) [][]byte {
	var found [][]byte
	for first := int64(0); first < size; first += 1 << height {
		width := 1 << height
		if size-first < int64(width) {
			width = int(size - first)
		}
		path := tlog.Tile{H: height, L: 0, N: first >> height, W: width}.Path()
		data := f.read("tile/entries/" + strings.TrimPrefix(path, "tile/8/0/"))
		for len(data) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(data))
			found = append(found, data[2:end])
			data = data[end:]
		}
	}
	return found
}

func (f folder) hashes(name string) (proof []tlog.Hash) {
	for _, line := range strings.Fields(string(f.read(name))) {
		hash, err := tlog.ParseHash(line)
		refuse(err)
		proof = append(proof, hash)
	}
	return proof
}

// numbered gives the numbers that are names of files in a folder.
func (f folder) numbered(name string) (numbers []int64) {
	files, err := os.ReadDir(filepath.Join(string(f), name))
	refuse(err)
	for _, file := range files {
		number, err := strconv.ParseInt(file.Name(), 10, 64)
		refuse(err)
		numbers = append(numbers, number)
	}
	return numbers
}

func (f folder) checkpoint(vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	refuse(err)
	opened, err := note.Open(f.read("checkpoint"), note.VerifierList(verifier))
	refuse(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	refuse(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	refuse(err)
	if lines[0] != verifier.Name() || len(lines) != 4 || len(root) != tlog.HashSize {
		refuse(fmt.Errorf("a strange checkpoint: %q", opened.Text))
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(*(*[tlog.HashSize]byte)(root))}
}

func (f folder) check(vkey string) {
	tree := f.checkpoint(vkey)
	reader := tlog.TileHashReader(tree, f) // whatever it gives is proved in the checkpoint's tree
	root, err := tlog.TreeHash(tree.N, reader)
	refuse(err)
	if root != tree.Hash {
		refuse(fmt.Errorf("the tiles lead to another root"))
	}
	entries := f.entries(tree.N)
	if int64(len(entries)) != tree.N {
		refuse(fmt.Errorf("%d entries of %d", len(entries), tree.N))
	}
	wanted := make([]int64, len(entries))
	for at := range entries {
		wanted[at] = tlog.StoredHashIndex(0, int64(at))
	}
	leaves, err := reader.ReadHashes(wanted)
	refuse(err)
	for at, entry := range entries {
		if tlog.RecordHash(entry) != leaves[at] {
			refuse(fmt.Errorf("entry %d is another one", at))
		}
	}
	proofs := f.numbered("proof")
	for _, index := range proofs {
		refuse(tlog.CheckRecord(f.hashes(fmt.Sprintf("proof/%d", index)), tree.N, tree.Hash, index, leaves[index]))
	}
	grown := f.numbered("consistency")
	for _, old := range grown {
		before, err := tlog.TreeHash(old, reader)
		refuse(err)
		refuse(tlog.CheckTree(f.hashes(fmt.Sprintf("consistency/%d", old)), tree.N, tree.Hash, old, before))
	}
	fmt.Printf("size %d: %d entries, %d proofs, %d consistency proofs\n", tree.N, len(entries), len(proofs), len(grown))
}

func refuse(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func main() {
	for _, name := range os.Args[2:] {
		folder(name).check(os.Args[1])
	}
}
