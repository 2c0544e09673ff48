// Which release this is.

public enum Software {
    /// Semantic version; CHANGELOG.md says what each brought.
    public static let version = "0.1.0"
}
