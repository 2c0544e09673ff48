// The suite every kernel test belongs to, and comparison bit for bit across instruction sets.

import CKernels
import Testing

/// All tests of kernels. Serialized, since the instruction set in use is one for the whole process.
@Suite(.serialized, KeepsMemory()) enum KernelTests {
    static let portable = CK_ISA_PORTABLE

    /// What this processor can run, portable C first.
    static let instructionSets = [
        CK_ISA_PORTABLE, CK_ISA_AVX2, CK_ISA_AVX512, CK_ISA_AVX512BF16, CK_ISA_NEON,
    ].filter { ck_isa_available($0) }

    /// Runs `body` with `instructionSet` in use, and goes back to the one before.
    static func using<Result>(_ instructionSet: ck_isa, _ body: () throws -> Result) rethrows -> Result {
        let before = ck_isa_current()
        #expect(ck_isa_use(instructionSet))
        defer { _ = ck_isa_use(before) }
        return try body()
    }

    /// Expects `body` to give the floats portable C gives, bit for bit, on every instruction set and with 1, 2 and 3
    /// threads. Any NaN equals any other.
    static func expectSameEverywhere(
        _ what: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (OpaquePointer?) -> [Float]
    ) {
        let expected = using(portable) { body(nil) }
        for instructionSet in instructionSets {
            for pool in Pools.all {
                let actual = using(instructionSet) { body(pool) }
                let difference = firstDifference(expected, actual)
                guard let difference else { continue }
                let name = String(cString: ck_isa_name(instructionSet))
                Issue.record(
                    "\(what()): \(name), \(ck_pool_threads(pool)) threads: \(difference)",
                    sourceLocation: sourceLocation)
            }
        }
    }

    /// Where two rows of floats first differ in bits, NULL when nowhere.
    static func firstDifference(_ expected: [Float], _ actual: [Float]) -> String? {
        guard expected.count == actual.count else { return "\(actual.count) values instead of \(expected.count)" }
        for (index, (want, got)) in zip(expected, actual).enumerated() {
            if want.bitPattern != got.bitPattern && !(want.isNaN && got.isNaN) {
                return "value \(index) is \(got) instead of \(want)"
            }
        }
        return nil
    }
}

/// Pools of 1, 2 and 3 threads, for the life of the process.
enum Pools {
    nonisolated(unsafe) static let all: [OpaquePointer?] = [nil, ck_pool_create(2), ck_pool_create(3)]
}
