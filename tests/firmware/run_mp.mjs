// Runs one script of tests/firmware/mp in MicroPython's WebAssembly build, with the repository's files copied in.
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

const HEAP = 192 * 1024; // about what an RP2040 has left for the program
const [root, script] = process.argv.slice(2);
const micropython = await loadMicroPython({
  heapsize: HEAP,
  linebuffer: true,
  stdout: (line) => console.log(line),
});

function copy(folder) {
  micropython.FS.mkdirTree(`/repo/${folder}`);
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory() && !["virtual", "__pycache__"].includes(entry.name)) copy(name);
    else if (/\.(py|json|csv)$/.test(entry.name))
      micropython.FS.writeFile(`/repo/${name}`, fs.readFileSync(path.join(root, name)));
  }
}

for (const folder of ["hw", "firmware", "tests/firmware/mp"]) copy(folder);
copy("tests/data/line_traces");
micropython.FS.writeFile("/repo/tests/data/wire.json", fs.readFileSync(path.join(root, "tests/data/wire.json")));
try {
  micropython.runPython(`import os, sys
os.chdir("/repo")
sys.path.insert(0, "/repo")
exec(open("${script}").read(), {"__name__": "__main__"})`);
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
}
