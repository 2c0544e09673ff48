// What a run of the benchmarks leaves: rows printed as they come, and all of them as JSON.

import FoundationEssentials
import Glibc

/// Prints each row when it is measured; writes them all at the end.
final class BenchReport {
    private(set) var rows: [BenchRow] = []
    private let machine = Machine.current
    private let commit: String?
    /// Jobs that could not be measured, and why.
    var failures: [String] = []

    /// - Parameter commit: what was measured, as the caller names it.
    init(commit: String?) {
        self.commit = commit
        print("\(machine.processor), \(machine.processors) processors" + (commit.map { "; \($0)" } ?? ""))
        print(BenchTable.heading)
    }

    /// For whoever waits; the table goes to standard output.
    static func progress(_ line: String) {
        let bytes = Array("· \(line)\n".utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }

    func add(_ row: BenchRow) {
        rows.append(row)
        print(BenchTable.line(row))
        fflush(nil)
    }

    /// How many goals are met, and what was not measured.
    var summary: String {
        let met = rows.compactMap(\.reachesGoal)
        let goals = "\(met.count { $0 }) of \(met.count) goals are met"
        return ([goals] + failures.map { "not measured: \($0)" }).joined(separator: "\n")
    }

    func write(to path: String) throws {
        struct File: Encodable {
            let machine: Machine
            let commit: String?
            let rows: [BenchRow]
            let failures: [String]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(File(machine: machine, commit: commit, rows: rows, failures: failures)).write(
            to: URL(filePath: path))
    }
}

/// What the figures were measured on.
struct Machine: Encodable {
    let processor: String
    let processors: Int
    let kernel: String

    static var current: Machine {
        var names = utsname()
        uname(&names)
        let release = withUnsafeBytes(of: &names.release) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let information = (try? String(contentsOf: URL(filePath: "/proc/cpuinfo"), encoding: .utf8)) ?? ""
        let name = information.split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { $0.drop { $0 == " " } }
        return Machine(
            processor: name.map(String.init) ?? "unknown processor",
            processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            kernel: release)
    }
}
