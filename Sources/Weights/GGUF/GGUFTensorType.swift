// The tensor types of GGUF files.

extension GGUFHeader {
    /// The types that can be used, by the numbers that files have for them.
    private static let types: [UInt32: ElementType] = [
        0: .f32, 1: .f16, 2: .q4x0, 3: .q4x1, 6: .q5x0, 7: .q5x1, 8: .q8x0, 12: .q4k, 13: .q5k, 14: .q6k, 24: .i8,
        25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
    ]

    /// Names of the others, for errors.
    private static let otherNames: [UInt32: String] = [
        9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
        20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
        40: "NVFP4",
    ]

    /// What weights can be, for errors.
    private static let known = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K"

    static func elementType(
        _ number: UInt32, file: String, tensor: String
    ) throws(CheckpointError) -> ElementType {
        guard let type = types[number] else {
            let name = otherNames[number] ?? "number \(number)"
            throw CheckpointError(
                .unsupported, file: file, tensor: tensor,
                "is of type \(name), which is not supported; known are \(known)"
            )
        }
        return type
    }
}
