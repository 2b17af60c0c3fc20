import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * Judges chains as a TLS server in Java does: a line of standard input names root, chain and more
 * certificates (or -), and a file of revocation lists (or -); the answer is a line "accepted" or
 * "refused: why".
 */
public final class ChainJudge {
    private static final CertificateFactory FACTORY = factory();

    private ChainJudge() {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(judge(line.split("\t")));
        }
    }

    private static String judge(String[] files) {
        try {
            X509TrustManager manager = manager(files[0], files[2], files[3]);
            X509Certificate[] chain = certificates(files[1]).toArray(new X509Certificate[0]);
            manager.checkClientTrusted(chain, "UNKNOWN");
            return "accepted";
        } catch (Exception e) {
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            return "refused: " + cause.toString().replace('\n', ' ');
        }
    }

    private static X509TrustManager manager(String root, String more, String lists)
            throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("root", certificates(root).get(0));
        PKIXBuilderParameters parameters =
                new PKIXBuilderParameters(trusted, new X509CertSelector());
        List<Object> known = new ArrayList<>();
        if (!more.equals("-")) {
            known.addAll(certificates(more));
        }
        parameters.setRevocationEnabled(!lists.equals("-"));
        if (!lists.equals("-")) {
            try (InputStream in = Files.newInputStream(Path.of(lists))) {
                known.addAll(FACTORY.generateCRLs(in));
            }
            PKIXRevocationChecker checker =
                    (PKIXRevocationChecker) CertPathBuilder.getInstance("PKIX").getRevocationChecker();
            checker.setOptions(EnumSet.of(
                    PKIXRevocationChecker.Option.PREFER_CRLS,
                    PKIXRevocationChecker.Option.NO_FALLBACK,
                    PKIXRevocationChecker.Option.ONLY_END_ENTITY));
            parameters.addCertPathChecker(checker);
        }
        parameters.addCertStore(
                CertStore.getInstance("Collection", new CollectionCertStoreParameters(known)));
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(new CertPathTrustManagerParameters(parameters));
        return (X509TrustManager) factory.getTrustManagers()[0];
    }

    private static List<X509Certificate> certificates(String file) throws Exception {
        List<X509Certificate> all = new ArrayList<>();
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            FACTORY.generateCertificates(in).forEach(c -> all.add((X509Certificate) c));
        }
        return all;
    }

    private static CertificateFactory factory() {
        try {
            return CertificateFactory.getInstance("X.509");
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
