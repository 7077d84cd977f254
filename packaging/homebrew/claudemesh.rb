class Claudemesh < Formula
  desc "Connects coding-agent sessions and people into a mesh, with no server"
  homepage "https://github.com/claudemesh/claudemesh"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@URL@/claudemesh-darwin-arm64"
      sha256 "@SHA256_darwin-arm64@"
    end
    on_intel do
      url "@URL@/claudemesh-darwin-amd64"
      sha256 "@SHA256_darwin-amd64@"
    end
  end
  on_linux do
    on_arm do
      url "@URL@/claudemesh-linux-arm64"
      sha256 "@SHA256_linux-arm64@"
    end
    on_intel do
      url "@URL@/claudemesh-linux-amd64"
      sha256 "@SHA256_linux-amd64@"
    end
  end

  def install
    bin.install Dir["claudemesh-*"].first => "claudemesh"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/claudemesh --version")
  end
end
