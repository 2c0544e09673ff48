// Hugging Face's tokenizers, measured by a Python program with one thread on the same texts.

import FoundationEssentials
import Glibc

/// What one side took for one text; for the first entry, what reading the tokenizer took.
struct TokenizerFigures: Decodable {
    let name: String
    let bytes: Int
    var readSeconds = 0.0
    var encodeSeconds = 0.0
    var decodeSeconds = 0.0
    var count = 0
    /// Of the ids, so that both sides are known to have made the same.
    var checksum: UInt32 = 0

    static func checksum(of ids: [UInt32]) -> UInt32 { ids.reduce(0) { $0 &* 31 &+ $1 } }
}

enum TokenizerPeer {
    /// Runs the peer and reads what it measured, in the order of `texts` behind the entry for reading.
    static func measure(
        python: String, tokenizer: String, texts: [String], rounds: Int, folder: String
    ) throws -> [TokenizerFigures] {
        let (script, output) = (folder + "/peer.py", folder + "/peer.json")
        try Data(program.utf8).write(to: URL(filePath: script))
        try spawn([python, script, output, "\(rounds)", tokenizer + "/tokenizer.json"] + texts)
        let decoder = JSONDecoder()
        return try decoder.decode([TokenizerFigures].self, from: Data(contentsOf: URL(filePath: output)))
    }

    private static func spawn(_ arguments: [String]) throws {
        var argv = arguments.map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var identifier = pid_t()
        let started = posix_spawnp(&identifier, arguments[0], nil, nil, &argv, environ)
        guard started == 0 else {
            throw BenchError("\(arguments[0]) cannot be started: \(String(cString: strerror(started)))")
        }
        var status: CInt = 0
        while waitpid(identifier, &status, 0) < 0 {
            guard errno == EINTR else { throw BenchError("\(arguments[0]): \(String(cString: strerror(errno)))") }
        }
        guard status == 0 else {
            throw BenchError("\(arguments[0]) failed; does it have the package tokenizers (pip install tokenizers)?")
        }
    }

    private static let program = #"""
        import os
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.environ["RAYON_NUM_THREADS"] = "1"
        import json, sys, time
        from tokenizers import Tokenizer

        output, rounds, path, *texts = sys.argv[1:]

        def fastest(body):
            best, result = float("inf"), None
            for _ in range(int(rounds)):
                start = time.perf_counter()
                result = body()
                best = min(best, time.perf_counter() - start)
            return best, result

        def figures(name, size, **values):
            zero = {"readSeconds": 0, "encodeSeconds": 0, "decodeSeconds": 0, "count": 0, "checksum": 0}
            return {"name": name, "bytes": size, **zero, **values}

        seconds, tokenizer = fastest(lambda: Tokenizer.from_file(path))
        results = [figures("reading", 0, readSeconds=seconds)]
        for name in texts:
            text = open(name, newline="", encoding="utf-8").read()
            encode, encoding = fastest(lambda: tokenizer.encode(text, add_special_tokens=False))
            ids = encoding.ids
            decode, _ = fastest(lambda: tokenizer.decode(ids, skip_special_tokens=False))
            checksum = 0
            for token in ids:
                checksum = (checksum * 31 + token) & 0xFFFFFFFF
            results.append(figures(name, len(text.encode()), encodeSeconds=encode, decodeSeconds=decode,
                                   count=len(ids), checksum=checksum))
        json.dump(results, open(output, "w"))
        """#
}
